import Glibc
import Synchronization

/// Runs work on several threads.
///
/// These are not libdispatch's, because that sleeps if it can't create a thread (RLIMIT_NPROC, pids.max of a cgroup).
/// Here the work is done by as many threads as can be created, at least by the caller's.
public enum Threads {
    /// Calls `body` once with each number in 0..<count, and returns when all calls have returned.
    ///
    /// Up to `count` threads make the calls, including the caller's. Which thread makes which call is unspecified.
    public static func perform(_ count: Int, _ body: @Sendable (Int) -> Void) {
        perform(count, start: pthread_create, body)
    }

    /// - Parameter start: pthread_create(3), or a test's replacement.
    static func perform(_ count: Int, start: StartFunction, _ body: @Sendable (Int) -> Void) {
        guard count > 1 else { return (0..<max(0, count)).forEach(body) }
        withoutActuallyEscaping(body) { body in
            let numbers = Numbers(count, body)
            var threads: [pthread_t] = []
            withSignalsBlocked {
                while threads.count < count - 1, numbers.areLeft, let thread = numbers.start(by: start) {
                    threads.append(thread)
                }
            }
            numbers.takeAll()
            for thread in threads { pthread_join(thread, nil) }
        }
    }

    package typealias StartFunction = (
        UnsafeMutablePointer<pthread_t>, UnsafePointer<pthread_attr_t>?,
        @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?, UnsafeMutableRawPointer?
    ) -> Int32

    /// Calls `body`, which starts threads, with signals blocked. Threads inherit the mask, so that signals from outside
    /// go to other threads. Signals that a thread's own instructions raise stay unblocked, as they need their handlers.
    static func withSignalsBlocked(_ body: () -> Void) {
        var blocked = sigset_t()
        sigfillset(&blocked)
        for signal in [SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS] { sigdelset(&blocked, signal) }
        var before = sigset_t()
        pthread_sigmask(SIG_BLOCK, &blocked, &before)
        body()
        pthread_sigmask(SIG_SETMASK, &before, nil)
    }
}

/// The numbers of the calls that are still to be made.
private final class Numbers: Sendable {
    private let count: Int
    private let body: @Sendable (Int) -> Void
    private let next = Atomic<Int>(0)

    init(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        self.count = count
        self.body = body
    }

    var areLeft: Bool { next.load(ordering: .relaxed) < count }

    /// Makes calls until no number is left.
    func takeAll() {
        while true {
            let number = next.add(1, ordering: .relaxed).oldValue
            guard number < count else { return }
            body(number)
        }
    }

    /// Starts a thread that makes calls; nil if it can't be created.
    func start(by start: Threads.StartFunction) -> pthread_t? {
        var thread = pthread_t()
        // Unretained, because `perform` joins the thread and keeps this object until then.
        let context = Unmanaged.passUnretained(self).toOpaque()
        let code = start(
            &thread, nil,
            { context in
                if let context { Unmanaged<Numbers>.fromOpaque(context).takeUnretainedValue().takeAll() }
                return nil
            }, context)
        return code == 0 ? thread : nil
    }
}
