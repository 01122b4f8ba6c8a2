import Glibc
import Synchronization

/// Does pieces of work one after the other on a thread of its own, which exists only while there is work.
public final class SerialWorker: Sendable {
    private let state = Mutex(State())
    private let start: Start
    typealias Start =
        @Sendable (
            UnsafeMutablePointer<pthread_t>, UnsafePointer<pthread_attr_t>?,
            @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?, UnsafeMutableRawPointer?
        ) -> Int32

    private struct State {
        /// The work that waits, in order.
        var waiting: [@Sendable () -> Void] = []
        var isWorking = false
    }

    /// A worker without work.
    public convenience init() { self.init { pthread_create($0, $1, $2, $3) } }

    /// - Parameter start: pthread_create(3), or a test's replacement.
    init(start: @escaping Start) { self.start = start }

    /// Adds work and returns. If no thread can be created, does the work first.
    public func add(_ work: @escaping @Sendable () -> Void) {
        let mustStart = state.withLock { state in
            state.waiting.append(work)
            defer { state.isWorking = true }
            return !state.isWorking
        }
        if mustStart, !startThread() { doAll() }
    }

    /// Drops the work that hasn't begun.
    public func dropWaiting() { state.withLock { $0.waiting = [] } }

    private func startThread() -> Bool {
        // The thread owns the worker as long as it runs.
        let context = Unmanaged.passRetained(self)
        var thread = pthread_t()
        var code: Int32 = 0
        Threads.withSignalsBlocked {
            code = start(
                &thread, nil,
                { context in
                    if let context { Unmanaged<SerialWorker>.fromOpaque(context).takeRetainedValue().doAll() }
                    return nil
                }, context.toOpaque())
        }
        guard code == 0 else {
            context.release()
            return false
        }
        pthread_detach(thread)
        return true
    }

    private func doAll() {
        while let work = next() { work() }
    }

    private func next() -> (@Sendable () -> Void)? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.isWorking = false
                return nil
            }
            return state.waiting.removeFirst()
        }
    }
}
