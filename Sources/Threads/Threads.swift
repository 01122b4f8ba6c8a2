import Glibc
import Synchronization

/// Work on several threads of our own.
///
/// libdispatch, when the system gives it no thread (RLIMIT_NPROC, pids.max of a cgroup), sleeps until it does. Here
/// the work is done by as many threads as there are, be it the caller's alone.
public enum Threads {
    /// Processors that are online, at least 1.
    public static var processorCount: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

    /// Calls `body` with each number in 0..<count, once, and returns when all calls have.
    ///
    /// Which thread makes which call, and how many threads there are, is not said: up to `count`, the caller's among
    /// them.
    public static func perform(_ count: Int, _ body: @Sendable (Int) -> Void) {
        perform(count, start: pthread_create, body)
    }

    /// - Parameter start: pthread_create(3), or what a test has in its place.
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

    /// Threads inherit what is blocked when they start: signals from outside are the other threads' business. Those
    /// that a thread's own access raises must find their handler.
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

/// The calls that are to be made.
private final class Numbers: Sendable {
    private let count: Int
    private let body: @Sendable (Int) -> Void
    private let next = Atomic<Int>(0)

    init(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        self.count = count
        self.body = body
    }

    var areLeft: Bool { next.load(ordering: .relaxed) < count }

    /// Makes calls until none is left.
    func takeAll() {
        while true {
            let number = next.add(1, ordering: .relaxed).oldValue
            guard number < count else { return }
            body(number)
        }
    }

    /// A thread that makes calls; nil if the system has none.
    func start(by start: Threads.StartFunction) -> pthread_t? {
        var thread = pthread_t()
        // Whoever started it joins it, and keeps this object until then.
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
