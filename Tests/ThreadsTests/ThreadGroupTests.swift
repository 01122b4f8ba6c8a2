import Glibc
import Synchronization
import Testing
@testable import Threads

@Suite(.timeLimit(.minutes(30))) struct ThreadGroupTests {
    @Test func callerGoesOnMeanwhile() {
        let gate = Atomic<Bool>(false)
        let calls = Atomic<Int>(0)
        let group = ThreadGroup(limit: 2)
        for _ in 0..<2 {
            group.start {
                while !gate.load(ordering: .sequentiallyConsistent) { sched_yield() }
                calls.add(1, ordering: .sequentiallyConsistent)
            }
        }
        // If `start` made the calls itself, this line would never be reached.
        gate.store(true, ordering: .sequentiallyConsistent)
        group.wait()
        #expect(calls.load(ordering: .sequentiallyConsistent) == 2)
    }

    @Test(arguments: [0, 1, 3])
    func callsWithoutAThreadAreTheCallers(_ available: Int) {
        let caller = pthread_self()
        let own = Atomic<Int>(0)
        let others = Atomic<Int>(0)
        let started = Atomic<Int>(0)
        let group = ThreadGroup(limit: 8) { thread, attributes, body, context in
            guard started.load(ordering: .relaxed) < available else { return EAGAIN }
            started.add(1, ordering: .relaxed)
            return pthread_create(thread, attributes, body, context)
        }
        for _ in 0..<5 {
            group.start {
                let isOwn = pthread_equal(pthread_self(), caller) != 0
                if isOwn { own.add(1, ordering: .relaxed) } else { others.add(1, ordering: .relaxed) }
            }
        }
        group.wait()
        #expect(own.load(ordering: .relaxed) == 5 - available)
        #expect(others.load(ordering: .relaxed) == available)
    }

    @Test func noMoreCallsThanTheLimitAreUnderWay() {
        let now = Atomic<Int>(0)
        let most = Mutex(0)
        let group = ThreadGroup(limit: 3)
        for _ in 0..<50 {
            group.start {
                let count = now.add(1, ordering: .sequentiallyConsistent).newValue
                most.withLock { $0 = max($0, count) }
                for _ in 0..<100 { sched_yield() }
                now.subtract(1, ordering: .sequentiallyConsistent)
            }
        }
        group.wait()
        #expect(now.load(ordering: .sequentiallyConsistent) == 0)
        #expect((1...3).contains(most.withLock { $0 }))
    }

    @Test func endOfTheGroupWaits() {
        let calls = Atomic<Int>(0)
        do {
            let group = ThreadGroup(limit: 8)
            for _ in 0..<8 {
                group.start {
                    sched_yield()
                    calls.add(1, ordering: .sequentiallyConsistent)
                }
            }
        }
        #expect(calls.load(ordering: .sequentiallyConsistent) == 8)
    }

    @Test func signalsFromOutsideAreNotTheirBusiness() {
        // The test's own thread may block any signals, which other threads inherit.
        var (own, opened) = (sigset_t(), sigset_t())
        sigemptyset(&opened)
        for signal in [SIGINT, SIGTERM, SIGBUS] { sigaddset(&opened, signal) }
        pthread_sigmask(SIG_UNBLOCK, &opened, &own)
        defer { pthread_sigmask(SIG_SETMASK, &own, nil) }
        let blocked = Mutex<[Bool]>([])
        let group = ThreadGroup(limit: 1)
        group.start {
            var mask = sigset_t()
            pthread_sigmask(SIG_BLOCK, nil, &mask)
            let found = [SIGINT, SIGTERM, SIGBUS].map { sigismember(&mask, $0) == 1 }
            blocked.withLock { $0 = found }
        }
        group.wait()
        #expect(blocked.withLock { $0 } == [true, true, false])
    }
}
