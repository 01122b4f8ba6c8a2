import CLinux
import Files
import Glibc
import Synchronization

/// Handles Ctrl-C and other terminating signals at any time.
///
/// While nothing has been recorded, or once everything is written, a signal ends cfic immediately. During the
/// recording, the first signal stops it, and the result is written. A first signal while the result is being written is
/// answered with a message. A second signal means that the user doesn't want to wait: cfic ends, with a message that
/// the recording is lost.
///
/// Signals are received by a separate thread, so that they are handled promptly whatever cfic is doing.
final class Interruption: Sendable {
    enum Phase {
        case preparing
        case recording
        /// Names are being looked up and the result is being written.
        case finishing
        /// Nothing can be lost: the result is written, or no sample was taken.
        case finished
    }

    /// The reaction to a signal.
    enum Answer: Equatable {
        /// Stop recording.
        case stop
        /// Tell the user that the recording is being written.
        case sayWriting
        /// End cfic.
        case end(losesRecording: Bool)
    }

    /// The state that determines the reaction to signals, independent of real signals.
    struct State {
        var phase = Phase.preparing
        private(set) var isStopWanted = false
        /// A command that cfic started, and that must end with it.
        var child: pid_t?

        mutating func takeSignal() -> Answer {
            defer { isStopWanted = true }
            switch (phase, isStopWanted) {
            case (.preparing, _), (.finished, _): return .end(losesRecording: false)
            case (.recording, false): return .stop
            case (.finishing, false): return .sayWriting
            case (.recording, true), (.finishing, true): return .end(losesRecording: true)
            }
        }
    }

    private let state = Mutex(State())
    /// Readable after a signal or the end of a child.
    let descriptor: Int32

    init() throws {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard descriptor >= 0 else { throw Failure("signals can't be waited for: \(systemMessage(errno))") }
        var signals = Self.signals
        guard pthread_sigmask(SIG_BLOCK, &signals, nil) == 0 else { throw Failure("signals can't be blocked") }
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Interruption>.fromOpaque(context).takeRetainedValue().takeSignals()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        guard code == 0 else { throw Failure("no thread for signals: \(systemMessage(code))") }
        pthread_detach(thread)
    }

    /// The signals to handle: SIGCHLD, and those that aren't ignored. `nohup` and shells ignore some for background
    /// processes.
    private static var signals: sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGINT, SIGTERM, SIGHUP] where !signal_is_ignored(signal) { sigaddset(&signals, signal) }
        sigaddset(&signals, SIGCHLD)
        return signals
    }

    /// Whether the user wants the recording to stop.
    var isStopWanted: Bool {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
        return state.withLock(\.isStopWanted)
    }

    func enter(_ phase: Phase) { state.withLock { $0.phase = phase } }

    /// Sets the child that ends with cfic, or none.
    func setChild(_ child: pid_t?) { state.withLock { $0.child = child } }

    private func takeSignals() {
        var signals = Self.signals
        while true {
            var signal: Int32 = 0
            guard sigwait(&signals, &signal) == 0 else { continue }
            if signal != SIGCHLD { handle(signal) }
            var one: UInt64 = 1
            _ = write(descriptor, &one, 8)
        }
    }

    private func handle(_ signal: Int32) {
        let (answer, child) = state.withLock { ($0.takeSignal(), $0.child) }
        switch answer {
        case .stop: break
        case .sayWriting: Diagnostics.note("Writing the profile; another Ctrl-C aborts this and loses it.")
        case .end(let losesRecording):
            if losesRecording { Diagnostics.error("ended by a signal; the profile was not written") }
            if let child { kill(child, SIGTERM) }
            signal_end(signal)
        }
    }
}
