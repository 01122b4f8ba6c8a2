/// Why sampling ended.
public enum StopReason: Equatable, Sendable {
    /// All processes ended, or the command did.
    case targetEnded
    /// The recording's maximum duration was reached.
    case timeUp
    /// A signal or a call asked for it.
    case requested(StopRequest)
}

/// A request to stop a recording.
public enum StopRequest: Equatable, Sendable {
    /// A signal, by number.
    case signal(Int32)
    /// A call of ``Interruption/stop()``.
    case call
}

/// Decides when a recording ends, as a function of what was observed; it reads no clock.
struct StopRule {
    /// The maximum duration; nil for none.
    var duration: Duration?

    /// - Returns: nil if the recording goes on.
    func reason(after elapsed: Duration, hasTargetEnded: Bool, request: StopRequest?) -> StopReason? {
        // First, because only then is the command's exit code reported.
        if hasTargetEnded { return .targetEnded }
        if let request { return .requested(request) }
        guard let duration, elapsed >= duration else { return nil }
        return .timeUp
    }
}
