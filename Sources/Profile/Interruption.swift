import CLinux
import Glibc
import Synchronization

/// Stops a recording from outside: by a call, or by SIGINT (Ctrl-C), SIGTERM and SIGHUP.
///
/// While nothing has been recorded, or once everything is written, a signal ends this process immediately. During the
/// recording, the first signal stops it, so that the result can be written. A first signal while the result is being
/// written is reported and otherwise ignored. A second signal means that the user doesn't want to wait: it ends the
/// process, and the recording is lost.
public final class Interruption: Sendable {
    private let state = Mutex(InterruptionState())
    /// Readable after a request to stop, a signal, or the end of a child.
    let descriptor: Int32

    /// - Throws: ``ProfileError/system(_:errno:)``.
    public init() throws(ProfileError) {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard descriptor >= 0 else { throw .system("cannot wait for signals", errno: errno) }
    }

    deinit { close(descriptor) }

    /// Stops the current recording, or the next one as soon as it begins. May be called on any thread.
    public func stop() {
        state.withLock { $0.stop() }
        wake()
    }

    /// Notes that the recording is written: from now on a signal ends this process immediately.
    public func finish() { enter(.finished) }

    /// Starts to handle signals: SIGCHLD, and those that aren't ignored. `nohup` and shells ignore some for background
    /// processes. Call this before other threads are created, because the system delivers a signal to any thread that
    /// doesn't block it.
    ///
    /// Signals are received by a separate thread, so that they are handled promptly whatever the process is doing.
    ///
    /// - Parameter report: called on that thread with the reaction to each signal, before the reaction.
    /// - Throws: ``ProfileError/system(_:errno:)``.
    public func takeSignals(_ report: @escaping @Sendable (SignalResponse) -> Void) throws(ProfileError) {
        let listener = SignalListener(interruption: self, report: report)
        try listener.start()
    }

    // MARK: For the recording

    /// The first request to stop; nil if there was none.
    var request: StopRequest? {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
        return state.withLock(\.request)
    }

    func enter(_ phase: InterruptionState.Phase) { state.withLock { $0.phase = phase } }

    /// Sets the command that ends with this process, or none.
    func setCommand(_ command: pid_t?) { state.withLock { $0.command = command } }

    // MARK: For the listener

    fileprivate func wake() {
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }

    fileprivate func take(signal: Int32) -> (response: SignalResponse, command: pid_t?) {
        state.withLock { ($0.take(signal: signal), $0.command) }
    }
}

/// The thread that receives signals.
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
        guard masked == 0 else { throw .system("cannot block signals", errno: masked) }
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
            throw .system("cannot start the signal thread", errno: code)
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
