import Synchronization
import Threads

extension [FoundFile] {
    /// Calls `body` for each file, on several threads: for the largest ones first, so that no thread is left alone with a large
    /// file at the end; for files of equal size in their order.
    ///
    /// - Parameters:
    ///   - threads: at least 1.
    ///   - makeWorker: called at most once on each thread.
    ///   - progress: called after each file, from any thread, with the sizes in bytes of the files that are done, and of all.
    ///   - body: takes a file's index and the thread's worker.
    package func perform<Worker>(
        threads: Int, with makeWorker: @Sendable () -> Worker, progress: @Sendable (UInt64, UInt64) -> Void,
        _ body: @Sendable (Int, Worker) -> Void
    ) {
        let total = reduce(0) { $0 + $1.size }
        let order = indices.sorted { (self[$1].size, $0) < (self[$0].size, $1) }
        let done = Atomic<UInt64>(0)
        Threads.perform(count, threads: threads, with: makeWorker) { turn, worker in
            let index = order[turn]
            body(index, worker)
            progress(done.add(self[index].size, ordering: .relaxed).newValue, total)
        }
    }

    /// The same, with a result of each file, in their order.
    package func results<Worker, Result: Sendable>(
        threads: Int, with makeWorker: @Sendable () -> Worker, progress: @Sendable (UInt64, UInt64) -> Void,
        _ body: @Sendable (FoundFile, Worker) -> Result
    ) -> [Result] {
        let results = Mutex([Result?](repeating: nil, count: count))
        perform(threads: threads, with: makeWorker, progress: progress) { index, worker in
            let result = body(self[index], worker)
            results.withLock { $0[index] = result }
        }
        return results.withLock { $0.compactMap { $0 } }
    }
}
