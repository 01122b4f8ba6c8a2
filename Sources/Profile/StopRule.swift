/// Why a recording ended.
public enum StopReason: Equatable, Sendable {
    /// All processes have ended, or the command has.
    case targetEnded
    case timeUp
    case requested(StopRequest)
}

/// What asked for the end of a recording.
public enum StopRequest: Equatable, Sendable {
    /// By its number.
    case signal(Int32)
    /// ``Interruption/stop()``
    case call
}

/// When a recording ends: a function of what was seen, without a clock.
struct StopRule {
    /// Nil: as long as there is something to sample.
    var duration: Duration?

    /// - Returns: nil if the recording goes on.
    func reason(after elapsed: Duration, hasTargetEnded: Bool, request: StopRequest?) -> StopReason? {
        // A command that has ended by itself has an exit code, whatever else there is to say.
        if hasTargetEnded { return .targetEnded }
        if let request { return .requested(request) }
        guard let duration, elapsed >= duration else { return nil }
        return .timeUp
    }
}
