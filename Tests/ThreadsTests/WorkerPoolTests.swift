import Glibc
import Synchronization
import Testing

@testable import Threads

@Suite(.timeLimit(.minutes(30))) struct WorkerPoolTests {
    private typealias Urgency = WorkerPool.Urgency

    /// What was done, in order, by which threads, and with which scheduling policy.
    private final class Log: Sendable {
        struct Entry {
            var number: UInt32
            var thread: pthread_t
            var policy: Int32
        }

        private let entries = Mutex<[Entry]>([])

        func add(_ number: UInt32) {
            var (policy, parameters) = (Int32(0), sched_param())
            pthread_getschedparam(pthread_self(), &policy, &parameters)
            let entry = Entry(number: number, thread: pthread_self(), policy: policy)
            entries.withLock { $0.append(entry) }
        }

        var all: [Entry] { entries.withLock { $0 } }
        var numbers: [UInt32] { all.map(\.number) }
        func wait(for count: Int) { while entries.withLock({ $0.count }) < count { sched_yield() } }
    }

    /// Holds up a piece of work until it is opened.
    private final class Gate: Sendable {
        private let isOpen = Atomic(false)
        private let begun = Atomic(false)

        func open() { isOpen.store(true, ordering: .sequentiallyConsistent) }
        func pass() {
            begun.store(true, ordering: .sequentiallyConsistent)
            while !isOpen.load(ordering: .sequentiallyConsistent) { sched_yield() }
        }
        func waitForVisitor() { while !begun.load(ordering: .sequentiallyConsistent) { sched_yield() } }
    }

    private static func awaited(_ need: UInt32) -> WorkerPool.Urgency { .init(isAwaited: true, need: need) }
    private static let unneeded = WorkerPool.Urgency(isAwaited: false, need: 0)

    @Test func urgentWorkIsDoneFirst() {
        let (pool, log, gate) = (WorkerPool(limit: 1), Log(), Gate())
        pool.add(0, Self.awaited(0)) { gate.pass() }
        gate.waitForVisitor()
        for (number, need) in [(1, 5), (2, 7), (3, 0), (4, 7), (5, 1)] as [(UInt32, UInt32)] {
            pool.add(number, Self.awaited(need)) { log.add(number) }
        }
        // More samples ended for want of it meanwhile; and nobody needs this one any more.
        pool.set(Self.awaited(9), of: 3)
        pool.drop(1)
        gate.open()
        log.wait(for: 4)
        #expect(log.numbers == [3, 2, 4, 5])
        #expect(log.all.allSatisfy { $0.policy == SCHED_OTHER && pthread_equal($0.thread, pthread_self()) == 0 })
        // The thread has ended, or is about to; a later piece gets one.
        pool.add(6, Self.awaited(0)) { log.add(6) }
        log.wait(for: 5)
    }

    @Test func whatNobodyWaitsForIsDoneAtIdlePriority() {
        let (pool, log) = (WorkerPool(limit: 2), Log())
        for number in 1...3 as ClosedRange<UInt32> { pool.add(number, Self.unneeded) { log.add(number) } }
        log.wait(for: 3)
        #expect(log.numbers == [1, 2, 3] && log.all.allSatisfy { $0.policy == WorkerPool.idlePolicy })
    }

    /// It is taken by a thread of normal priority, although others wait before it for the idle one.
    @Test func workThatIsAwaitedNowLeavesTheIdleThread() {
        let (pool, log, gate) = (WorkerPool(limit: 1), Log(), Gate())
        pool.add(0, Self.unneeded) { gate.pass() }
        gate.waitForVisitor()
        for number in 1...3 as ClosedRange<UInt32> { pool.add(number, Self.unneeded) { log.add(number) } }
        pool.set(Self.awaited(1), of: 2)
        log.wait(for: 1)
        #expect(log.numbers == [2] && log.all[0].policy == SCHED_OTHER)
        gate.open()
        log.wait(for: 3)
        #expect(log.numbers == [2, 1, 3] && log.all[2].policy == WorkerPool.idlePolicy)
    }

    /// A thread can be raised by whoever has CAP_SYS_NICE.
    @Test func workIsRaisedThatIsAwaitedWhileItIsDone() {
        let policies = Mutex<[Int32]>([])
        let pool = WorkerPool(
            limit: 1, whenDone: {}, start: { pthread_create($0, $1, $2, $3) },
            setPolicy: { _, policy in policies.withLock { $0.append(policy) } })
        let (log, gate) = (Log(), Gate())
        pool.add(0, Self.unneeded) {
            gate.pass()
            log.add(0)
        }
        pool.add(1, Self.unneeded) { log.add(1) }
        gate.waitForVisitor()
        for need in 1...3 as ClosedRange<UInt32> { pool.set(Self.awaited(need), of: 0) }
        #expect(policies.withLock { $0 } == [WorkerPool.idlePolicy, SCHED_OTHER])
        gate.open()
        log.wait(for: 2)
        #expect(policies.withLock { $0 } == [WorkerPool.idlePolicy, SCHED_OTHER, WorkerPool.idlePolicy])
    }

    @Test func noMoreThreadsThanTheLimitWorkAtOnce() {
        let (pool, gate) = (WorkerPool(limit: 2), Gate())
        let now = Atomic(0)
        let most = Atomic(0)
        let done = Atomic(0)
        for number in 0..<50 as Range<UInt32> {
            pool.add(number, Self.awaited(number)) {
                let count = now.add(1, ordering: .sequentiallyConsistent).newValue
                most.max(count, ordering: .sequentiallyConsistent)
                gate.pass()
                now.subtract(1, ordering: .sequentiallyConsistent)
                done.add(1, ordering: .sequentiallyConsistent)
            }
        }
        while now.load(ordering: .sequentiallyConsistent) < 2 { sched_yield() }
        gate.open()
        while done.load(ordering: .sequentiallyConsistent) < 50 { sched_yield() }
        #expect(most.load(ordering: .sequentiallyConsistent) == 2)
    }

    @Test func endOfAllWorkIsToldOnce() {
        let (gate, log) = (Gate(), Log())
        let ends = Atomic(0)
        let pool = WorkerPool(limit: 1) { ends.add(1, ordering: .sequentiallyConsistent) }
        pool.add(0, Self.awaited(0)) { gate.pass() }
        gate.waitForVisitor()
        pool.add(1, Self.unneeded) { log.add(1) }
        log.wait(for: 1)
        pool.add(2, Self.awaited(0)) { log.add(2) }
        #expect(ends.load(ordering: .sequentiallyConsistent) == 0)
        gate.open()
        while ends.load(ordering: .sequentiallyConsistent) == 0 { sched_yield() }
        #expect(log.numbers == [1, 2] && ends.load(ordering: .sequentiallyConsistent) == 1)
    }

    @Test func withoutAThreadTheCallerDoesTheWork() {
        let pool = WorkerPool(limit: 2, whenDone: {}, start: { _, _, _, _ in EAGAIN }, setPolicy: { _, _ in })
        let log = Log()
        for number in 0..<4 as Range<UInt32> {
            pool.add(number, number < 2 ? Self.awaited(0) : Self.unneeded) { log.add(number) }
            #expect(log.numbers == Array(0...number))
        }
        #expect(log.all.allSatisfy { pthread_equal($0.thread, pthread_self()) != 0 })
    }

    @Test func waitingWorkIsDropped() {
        let (pool, log, gate) = (WorkerPool(limit: 1), Log(), Gate())
        withExtendedLifetime(pool) {
            pool.add(0, Self.awaited(0)) {
                gate.pass()
                log.add(0)
            }
            gate.waitForVisitor()
            pool.add(1, Self.awaited(0)) { log.add(1) }
            pool.dropAll()
            gate.open()
            pool.add(2, Self.awaited(0)) { log.add(2) }
            log.wait(for: 2)
        }
        #expect(log.numbers == [0, 2])
    }
}
