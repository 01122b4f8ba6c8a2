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
    /// them. Calls begin in the order of their numbers.
    public static func perform(_ count: Int, _ body: @Sendable (Int) -> Void) {
        perform(count, threads: count, body)
    }

    /// As ``perform(_:_:)``, by no more than `threads` threads.
    public static func perform(_ count: Int, threads: Int, _ body: @Sendable (Int) -> Void) {
        perform(count, threads: threads, with: {}, call: { number, _ in body(number) })
    }

    /// As ``perform(_:threads:_:)``, where each thread that makes a call has a value of its own for all of its calls.
    ///
    /// - Parameter makeValue: called by each of these threads, once, before its first call.
    public static func perform<Value>(
        _ count: Int, threads: Int, with makeValue: @Sendable () -> Value,
        call body: @Sendable (Int, Value) -> Void
    ) {
        perform(count, threads: threads, start: pthread_create, with: makeValue, call: body)
    }

    /// - Parameter start: pthread_create(3), or what a test has in its place.
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

/// The numbers that calls are still to be made with.
private final class Numbers: Sendable {
    private let count: Int
    private let body: @Sendable (Numbers) -> Void
    private let next = Atomic<Int>(0)

    /// - Parameter body: what each thread does: takes numbers until none is left.
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

    /// A thread that makes calls; nil if the system has none.
    func start(by start: Threads.StartFunction) -> pthread_t? {
        var thread = pthread_t()
        // Whoever started it joins it, and keeps this object until then.
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
