import Glibc

/// The reaction to a signal.
public enum SignalResponse: Equatable, Sendable {
    /// Stop recording.
    case stop
    /// Ignore the signal, because the recording is being written.
    case finishWriting
    /// End this process.
    case end(losesRecording: Bool)
}

/// The state that determines the reaction to signals, independent of real signals.
struct InterruptionState {
    enum Phase: CaseIterable {
        case preparing
        case recording
        /// Names are being looked up and the result is being written.
        case finishing
        /// Nothing can be lost: the result is written, or no sample was taken.
        case finished
    }

    var phase = Phase.preparing
    /// The first request.
    private(set) var request: StopRequest?
    private var wasSignalled = false
    /// A command that this process started, and that must end with it.
    var command: pid_t?

    mutating func stop() { request = request ?? .call }

    mutating func take(signal: Int32) -> SignalResponse {
        defer {
            wasSignalled = true
            request = request ?? .signal(signal)
        }
        switch (phase, wasSignalled) {
        case (.preparing, _), (.finished, _): return .end(losesRecording: false)
        case (.recording, false): return .stop
        case (.finishing, false): return .finishWriting
        case (.recording, true), (.finishing, true): return .end(losesRecording: true)
        }
    }
}
