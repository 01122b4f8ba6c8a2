import CLinux
import Glibc
import Synchronization

/// Ends a recording from outside: by a call, or by SIGINT (Ctrl-C), SIGTERM and SIGHUP.
///
/// While nothing is recorded, or when all is written, a signal ends this process at once. The first one during the
/// recording stops it, and the result can be written; one that comes during the writing is not obeyed, but reported. A
/// second one ends the process, and the recording is lost: people who send another one don't want to wait.
public final class Interruption: Sendable {
    private let state = Mutex(InterruptionState())
    /// Readable when the end was asked for, or a child has ended.
    let descriptor: Int32

    /// - Throws: ``ProfileError/system(_:errno:)``.
    public init() throws(ProfileError) {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard descriptor >= 0 else { throw .system("signals can't be waited for", errno: errno) }
    }

    deinit { close(descriptor) }

    /// Ends the recording that runs, or the next one as soon as it begins. From any thread.
    public func stop() {
        state.withLock { $0.stop() }
        wake()
    }

    /// Tells that a recording was written, so that a signal ends this process at once.
    public func finish() { enter(.finished) }

    /// Takes the signals that this process doesn't ignore, as `nohup` and shells have some ignored for what runs in
    /// the background; and SIGCHLD. To be called before other threads are made: a signal goes to any thread that doesn't
    /// block it.
    ///
    /// A thread of its own takes the signals, so that nothing that takes long keeps them waiting.
    ///
    /// - Parameter report: gets what is done about each signal, on that thread, before it is done.
    /// - Throws: ``ProfileError/system(_:errno:)``.
    public func takeSignals(_ report: @escaping @Sendable (SignalResponse) -> Void) throws(ProfileError) {
        let listener = SignalListener(interruption: self, report: report)
        try listener.start()
    }

    // MARK: What a recording asks and tells

    /// What asked for the end of the recording.
    var request: StopRequest? {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
        return state.withLock(\.request)
    }

    func enter(_ phase: InterruptionState.Phase) { state.withLock { $0.phase = phase } }

    /// Has a command ended with this process, or no longer.
    func setCommand(_ command: pid_t?) { state.withLock { $0.command = command } }

    // MARK: What the listener tells

    fileprivate func wake() {
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }

    fileprivate func take(signal: Int32) -> (response: SignalResponse, command: pid_t?) {
        state.withLock { ($0.take(signal: signal), $0.command) }
    }
}

/// The thread that signals go to.
private final class SignalListener: Sendable {
    private let interruption: Interruption
    private let report: @Sendable (SignalResponse) -> Void
    private let signals: sigset_t

    init(interruption: Interruption, report: @escaping @Sendable (SignalResponse) -> Void) {
        self.interruption = interruption
        self.report = report
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGINT, SIGTERM, SIGHUP] where !signal_is_ignored(signal) { sigaddset(&signals, signal) }
        sigaddset(&signals, SIGCHLD)
        self.signals = signals
    }

    func start() throws(ProfileError) {
        var signals = signals
        let masked = pthread_sigmask(SIG_BLOCK, &signals, nil)
        guard masked == 0 else { throw .system("signals can't be blocked", errno: masked) }
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self)
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<SignalListener>.fromOpaque(context).takeRetainedValue().listen()
            }, context.toOpaque())
        guard code == 0 else {
            context.release()
            throw .system("no thread for signals", errno: code)
        }
        pthread_detach(thread)
    }

    private func listen() -> Never {
        var signals = signals
        while true {
            var signal: Int32 = 0
            guard sigwait(&signals, &signal) == 0 else { continue }
            if signal != SIGCHLD { handle(signal) }
            interruption.wake()
        }
    }

    private func handle(_ signal: Int32) {
        let (response, command) = interruption.take(signal: signal)
        report(response)
        guard case .end = response else { return }
        if let command { kill(command, SIGTERM) }
        signal_end(signal)
    }
}
