import Glibc

/// Runs calls concurrently with the caller, each on its own thread; on the caller's if no thread can be created.
///
/// Not thread-safe: use it only from the thread that starts the calls.
public final class ThreadGroup {
    private let limit: Int
    private let startThread: Threads.StartFunction
    /// Threads not yet joined, in the order of their start.
    private var threads: [pthread_t] = []

    /// - Parameter limit: the largest number of concurrent calls, at least 1.
    public convenience init(limit: Int) { self.init(limit: limit, start: pthread_create) }

    /// - Parameter start: pthread_create(3), or a test's replacement.
    package init(limit: Int, start: @escaping Threads.StartFunction) {
        self.limit = max(1, limit)
        startThread = start
    }

    deinit { wait() }

    /// Starts a call. If `limit` calls are running, first waits for the oldest one. If no thread can be created, makes
    /// the call before returning.
    public func start(_ call: @escaping @Sendable () -> Void) {
        if threads.count == limit { pthread_join(threads.removeFirst(), nil) }
        let context = Unmanaged.passRetained(Call(call))
        var thread = pthread_t()
        var code: Int32 = 0
        Threads.withSignalsBlocked {
            code = startThread(
                &thread, nil,
                { context in
                    if let context { Unmanaged<Call>.fromOpaque(context).takeRetainedValue().make() }
                    return nil
                }, context.toOpaque())
        }
        if code == 0 { threads.append(thread) } else { context.takeRetainedValue().make() }
    }

    /// Waits until all calls have returned.
    public func wait() {
        for thread in threads { pthread_join(thread, nil) }
        threads.removeAll()
    }
}

private final class Call: Sendable {
    let make: @Sendable () -> Void
    init(_ make: @escaping @Sendable () -> Void) { self.make = make }
}
