import Glibc
import Synchronization
import Testing

@testable import Threads

@Suite(.timeLimit(.minutes(5))) struct SerialWorkerTests {
    /// What was done, in order, and by which threads.
    private final class Log: Sendable {
        let entries = Mutex<[(number: Int, thread: pthread_t)]>([])
        func add(_ number: Int) { entries.withLock { $0.append((number, pthread_self())) } }
        var numbers: [Int] { entries.withLock { $0.map(\.number) } }
        func wait(for count: Int) { while entries.withLock({ $0.count }) < count { sched_yield() } }
    }

    @Test func workIsDoneInOrderOnAnotherThread() {
        let (worker, log) = (SerialWorker(), Log())
        for number in 0..<100 { worker.add { log.add(number) } }
        log.wait(for: 100)
        #expect(log.numbers == Array(0..<100))
        let threads = log.entries.withLock { $0.map(\.thread) }
        #expect(threads.allSatisfy { pthread_equal($0, pthread_self()) == 0 })
        // The thread has ended, or is about to; a later piece gets one.
        worker.add { log.add(100) }
        log.wait(for: 101)
    }

    @Test func withoutAThreadTheCallerDoesTheWork() {
        let worker = SerialWorker(start: { _, _, _, _ in EAGAIN })
        let log = Log()
        for number in 0..<3 {
            worker.add { log.add(number) }
            #expect(log.numbers == Array(0...number))
        }
        #expect(log.entries.withLock { $0.allSatisfy { pthread_equal($0.thread, pthread_self()) != 0 } })
    }

    @Test func waitingWorkIsDropped() {
        let (worker, log) = (SerialWorker(), Log())
        let begun = Atomic(false)
        let mayEnd = Atomic(false)
        withExtendedLifetime(worker) {
            worker.add {
                begun.store(true, ordering: .sequentiallyConsistent)
                while !mayEnd.load(ordering: .sequentiallyConsistent) { sched_yield() }
                log.add(0)
            }
            while !begun.load(ordering: .sequentiallyConsistent) { sched_yield() }
            worker.add { log.add(1) }
            worker.dropWaiting()
            mayEnd.store(true, ordering: .sequentiallyConsistent)
            worker.add { log.add(2) }
            log.wait(for: 2)
        }
        #expect(log.numbers == [0, 2])
    }
}
