import CLinux
import Files
import Glibc
import Synchronization

/// Ctrl-C and its like, at any moment.
///
/// While nothing is recorded, or when all is written, the program ends at once. The first one during the recording
/// stops it, and the result is written; one that comes when that is being done already is answered with that. Whoever
/// sends another one doesn't want to wait: the program ends, and says that what it recorded is lost.
///
/// A thread of its own takes the signals, so that nothing that takes long keeps them waiting.
final class Interruption: Sendable {
    enum Phase {
        case preparing
        case recording
        /// Names are looked up, and the result is written.
        case finishing
        /// There is nothing that could be lost: it is written, or no sample was taken.
        case finished
    }

    /// What is done about a signal.
    enum Answer: Equatable {
        /// The recording ends.
        case stop
        /// What was recorded is being written: that is said.
        case sayWriting
        /// The program ends.
        case end(losesRecording: Bool)
    }

    /// What signals have come to, without the signals.
    struct State {
        var phase = Phase.preparing
        private(set) var isStopWanted = false
        /// A command that was started, and is to end with the program.
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
    /// Readable when there was a signal, or a child has ended.
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

    /// Those that are not ignored, as `nohup` and shells have some for what runs in the background; and SIGCHLD.
    private static var signals: sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGINT, SIGTERM, SIGHUP] where !signal_is_ignored(signal) { sigaddset(&signals, signal) }
        sigaddset(&signals, SIGCHLD)
        return signals
    }

    /// Whether somebody wants it to end.
    var isStopWanted: Bool {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
        return state.withLock(\.isStopWanted)
    }

    func enter(_ phase: Phase) { state.withLock { $0.phase = phase } }

    /// Has a child ended with the program, or no longer.
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
