import Glibc

/// What is done about a signal.
public enum SignalResponse: Equatable, Sendable {
    /// The recording ends.
    case stop
    /// The recording has ended and is being written: the signal is not obeyed.
    case finishWriting
    /// This process ends.
    case end(losesRecording: Bool)
}

/// What signals, and calls, have come to; without the signals.
struct InterruptionState {
    enum Phase: CaseIterable {
        case preparing
        case recording
        /// Names are looked up, and the result is written.
        case finishing
        /// There is nothing that could be lost: it is written, or no sample was taken.
        case finished
    }

    var phase = Phase.preparing
    /// The first one.
    private(set) var request: StopRequest?
    private var wasSignalled = false
    /// A command that was started, and is to end with this process.
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
