import Files
import Glibc

/// A thread of its own. Unlike those of `Threads`, it waits for others: it can't be replaced by its creator's.
struct ServiceThread: @unchecked Sendable {
    private let thread: pthread_t

    /// Starts it. It handles no signals if its creator doesn't.
    ///
    /// - Throws: ``ServiceError/system(_:errno:)``.
    init(_ body: @escaping @Sendable () -> Void) throws(ServiceError) {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(Body(body))
        let code = pthread_create(
            &thread, nil,
            { context in
                if let context { Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run() }
                return nil
            }, context.toOpaque())
        guard code == 0 else {
            context.release()
            throw .system("cannot start a thread", errno: code)
        }
        self.thread = thread
    }

    /// Waits for its end. Call it once.
    func join() { pthread_join(thread, nil) }

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
}

/// Why profiles can't be served or pushed.
public enum ServiceError: Error, Sendable, CustomStringConvertible {
    /// A system call failed; with a description of what it was for.
    case system(String, errno: Int32)
    /// What was asked for can't be done; with the reason.
    case refused(String)

    public var description: String {
        switch self {
        case .system(let what, let code): "\(what): \(systemMessage(code))"
        case .refused(let reason): reason
        }
    }
}
