import Glibc

/// Calls that are made while the caller goes on, each by a thread of its own; by the caller, where the system has none.
///
/// Not thread-safe: of the thread that starts the calls.
public final class ThreadGroup {
    private let limit: Int
    private let startThread: Threads.StartFunction
    /// Those that were not waited for, in the order in which they began.
    private var threads: [pthread_t] = []

    /// - Parameter limit: how many calls may be under way at once, at least 1.
    public convenience init(limit: Int) { self.init(limit: limit, start: pthread_create) }

    /// - Parameter start: pthread_create(3), or what a test has in its place.
    package init(limit: Int, start: @escaping Threads.StartFunction) {
        self.limit = max(1, limit)
        startThread = start
    }

    deinit { wait() }

    /// Has a call made: when this returns, it has begun, or is over.
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

    /// Returns when all calls are over.
    public func wait() {
        for thread in threads { pthread_join(thread, nil) }
        threads.removeAll()
    }
}

private final class Call: Sendable {
    let make: @Sendable () -> Void
    init(_ make: @escaping @Sendable () -> Void) { self.make = make }
}
