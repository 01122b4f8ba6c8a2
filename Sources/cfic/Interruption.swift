import CLinux
import Glibc
import Synchronization

/// Ctrl-C and its like, at any moment: while nothing is recorded, the program ends at once; later the first one stops
/// the recording, whose result is written, and the second ends the program.
///
/// A thread of its own takes the signals, so that nothing that takes long keeps them waiting.
final class Interruption: Sendable {
    enum Phase {
        case preparing
        case recording
        /// Names are looked up, and the result is written.
        case finishing
    }

    private struct State {
        var phase = Phase.preparing
        var isStopWanted = false
        /// A command that was started, and is to end with the program.
        var child: pid_t?
    }

    private let state = Mutex(State())
    /// Readable when there was a signal, or a child has ended.
    let descriptor: Int32

    init() throws {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard descriptor >= 0 else { throw Failure("signals can't be waited for: \(String(cString: strerror(errno)))") }
        var signals = Self.signals
        guard pthread_sigmask(SIG_BLOCK, &signals, nil) == 0 else { throw Failure("signals can't be blocked") }
        var thread = pthread_t()
        let code = pthread_create(&thread, nil, { context in
            guard let context else { return nil }
            Unmanaged<Interruption>.fromOpaque(context).takeRetainedValue().takeSignals()
            return nil
        }, Unmanaged.passRetained(self).toOpaque())
        guard code == 0 else { throw Failure("no thread for signals: \(String(cString: strerror(code)))") }
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
        let (ends, child) = state.withLock { state in
            defer { state.isStopWanted = true }
            return (state.phase == .preparing || state.isStopWanted, state.child)
        }
        guard ends else { return }
        if let child { kill(child, SIGTERM) }
        signal_end(signal)
    }
}
