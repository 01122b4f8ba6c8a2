import Glibc
import Synchronization

/// Runs work on several threads.
///
/// These are not libdispatch's, because that sleeps if it can't create a thread (RLIMIT_NPROC, pids.max of a cgroup).
/// Here the work is done by as many threads as can be created, at least by the caller's.
public enum Threads {
    /// Processors that are online, at least 1.
    public static var processorCount: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

    /// Calls `body` once with each number in 0..<count, and returns when all calls have returned.
    ///
    /// Up to `count` threads make the calls, including the caller's. Calls start in the order of their numbers; which
    /// thread makes which call is unspecified.
    public static func perform(_ count: Int, _ body: @Sendable (Int) -> Void) {
        perform(count, threads: count, body)
    }

    /// Like ``perform(_:_:)``, with at most `threads` threads.
    public static func perform(_ count: Int, threads: Int, _ body: @Sendable (Int) -> Void) {
        perform(count, threads: threads, with: {}, call: { number, _ in body(number) })
    }

    /// Like ``perform(_:threads:_:)``. Each thread that makes calls passes a value of its own to all of them.
    ///
    /// - Parameter makeValue: makes that value. Called once on each such thread, before its first call.
    public static func perform<Value>(
        _ count: Int, threads: Int, with makeValue: @Sendable () -> Value,
        call body: @Sendable (Int, Value) -> Void
    ) {
        perform(count, threads: threads, start: pthread_create, with: makeValue, call: body)
    }

    /// - Parameter start: pthread_create(3), or a test's replacement.
    static func perform<Value>(
        _ count: Int, threads limit: Int, start: StartFunction, with makeValue: @Sendable () -> Value,
        call body: @Sendable (Int, Value) -> Void
    ) {
        withoutActuallyEscaping(makeValue) { makeValue in
            withoutActuallyEscaping(body) { body in
                let numbers = Numbers(count) { numbers in
                    guard var number = numbers.take() else { return }
                    let value = makeValue()
                    while true {
                        body(number, value)
                        guard let next = numbers.take() else { return }
                        number = next
                    }
                }
                var threads: [pthread_t] = []
                let others = min(limit, count) - 1
                if others > 0 {
                    withSignalsBlocked {
                        while threads.count < others, numbers.areLeft, let thread = numbers.start(by: start) {
                            threads.append(thread)
                        }
                    }
                }
                numbers.perform()
                for thread in threads { pthread_join(thread, nil) }
            }
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
    private let body: @Sendable (Numbers) -> Void
    private let next = Atomic<Int>(0)

    /// - Parameter body: the work of each thread: takes numbers until none is left.
    init(_ count: Int, _ body: @escaping @Sendable (Numbers) -> Void) {
        self.count = count
        self.body = body
    }

    var areLeft: Bool { next.load(ordering: .relaxed) < count }

    /// The next number; nil if none is left.
    func take() -> Int? {
        let number = next.add(1, ordering: .relaxed).oldValue
        return number < count ? number : nil
    }

    func perform() { body(self) }

    /// Starts a thread that makes calls; nil if it can't be created.
    func start(by start: Threads.StartFunction) -> pthread_t? {
        var thread = pthread_t()
        // Unretained, because `perform` joins the thread and keeps this object until then.
        let context = Unmanaged.passUnretained(self).toOpaque()
        let code = start(
            &thread, nil,
            { context in
                if let context { Unmanaged<Numbers>.fromOpaque(context).takeUnretainedValue().perform() }
                return nil
            }, context)
        return code == 0 ? thread : nil
    }
}
