import Glibc
import Synchronization
@testable import Threads
import Testing

@Suite(.timeLimit(.minutes(30))) struct ThreadsTests {
    /// Counts the calls with each number.
    private final class Calls: Sendable {
        private let counts: Mutex<[Int]>
        init(_ count: Int) { counts = Mutex([Int](repeating: 0, count: count)) }
        func note(_ number: Int) { counts.withLock { $0[number] += 1 } }
        var all: [Int] { counts.withLock { $0 } }
    }

    @Test(arguments: [0, 1, 2, 7, 1000])
    func eachNumberIsTakenOnce(_ count: Int) {
        let calls = Calls(count)
        Threads.perform(count) { calls.note($0) }
        #expect(calls.all == [Int](repeating: 1, count: count))
    }

    @Test(arguments: [-1, 1, 2, 3, 50, 1000])
    func thereAreNoMoreThreadsThanAllowed(_ limit: Int) {
        let calls = Calls(200)
        let threads = Mutex<Set<pthread_t>>([])
        Threads.perform(200, threads: limit) { number in
            calls.note(number)
            threads.withLock { _ = $0.insert(pthread_self()) }
            sched_yield()
        }
        #expect(calls.all == [Int](repeating: 1, count: 200))
        #expect(threads.withLock { $0.count } <= max(1, limit))
    }

    @Test(arguments: [0, 1, 100])
    func eachThreadThatMakesCallsHasOneValue(_ count: Int) {
        /// A value of the thread that made the call.
        final class Value {
            let maker = pthread_self()
            var calls: [Int] = []
        }
        let made = Atomic<Int>(0)
        let wrong = Atomic<Int>(0)
        let calls = Calls(count)
        Threads.perform(count, threads: 4) {
            made.add(1, ordering: .relaxed)
            return Value()
        } call: { number, value in
            if pthread_equal(value.maker, pthread_self()) == 0 || number <= value.calls.last ?? -1 {
                wrong.add(1, ordering: .relaxed)
            }
            value.calls.append(number)
            calls.note(number)
        }
        #expect(calls.all == [Int](repeating: 1, count: count))
        #expect(made.load(ordering: .relaxed) <= min(4, count) && wrong.load(ordering: .relaxed) == 0)
    }

    @Test func thereAreSeveralThreads() {
        // The two calls wait for each other, which a single thread could not do.
        let arrived = Atomic<Int>(0)
        let met = Atomic<Int>(0)
        Threads.perform(2) { _ in
            arrived.add(1, ordering: .sequentiallyConsistent)
            Self.wait { arrived.load(ordering: .sequentiallyConsistent) == 2 }
            if arrived.load(ordering: .sequentiallyConsistent) == 2 { met.add(1, ordering: .relaxed) }
        }
        #expect(met.load(ordering: .relaxed) == 2)
    }

    @Test(arguments: [0, 1, 3])
    func withoutThreadsTheCallerDoesTheWork(_ available: Int) {
        let calls = Calls(100)
        let caller = pthread_self()
        let others = Atomic<Int>(0)
        var started = 0
        Threads.perform(
            100, threads: 100,
            start: { thread, attributes, body, context in
                guard started < available else { return EAGAIN }
                started += 1
                return pthread_create(thread, attributes, body, context)
            }, with: {}
        ) { number, _ in
            calls.note(number)
            if pthread_equal(pthread_self(), caller) == 0 { others.add(1, ordering: .relaxed) }
        }
        #expect(calls.all == [Int](repeating: 1, count: 100))
        #expect(started <= available)
        if available == 0 { #expect(others.load(ordering: .relaxed) == 0) }
    }

    @Test func signalsFromOutsideAreOthersBusiness() {
        @Sendable func isBlocked(_ signal: Int32) -> Bool {
            var mask = sigset_t()
            pthread_sigmask(SIG_BLOCK, nil, &mask)
            return sigismember(&mask, signal) == 1
        }
        // The test's own thread may block any signals.
        var (own, opened) = (sigset_t(), sigset_t())
        sigemptyset(&opened)
        for signal in [SIGINT, SIGBUS] { sigaddset(&opened, signal) }
        pthread_sigmask(SIG_UNBLOCK, &opened, &own)
        defer { pthread_sigmask(SIG_SETMASK, &own, nil) }
        let before = [SIGINT, SIGBUS].map(isBlocked)
        #expect(before == [false, false])
        let caller = pthread_self()
        let arrived = Atomic<Int>(0)
        let wrong = Atomic<Int>(0)
        Threads.perform(2) { _ in
            arrived.add(1, ordering: .sequentiallyConsistent)
            Self.wait { arrived.load(ordering: .sequentiallyConsistent) == 2 }
            let expected = pthread_equal(pthread_self(), caller) != 0 ? before : [true, false]
            if [SIGINT, SIGBUS].map(isBlocked) != expected { wrong.add(1, ordering: .relaxed) }
        }
        #expect(wrong.load(ordering: .relaxed) == 0)
        #expect([SIGINT, SIGBUS].map(isBlocked) == before)
    }

    /// Waits for other threads, at most half a minute.
    private static func wait(_ isDone: () -> Bool) {
        let start = ContinuousClock.now
        while !isDone(), ContinuousClock.now - start < .seconds(30) { sched_yield() }
    }
}
