/// A source of samples that ``RecordingLoop`` polls.
protocol SampleSource {
    /// Waits until there is something to collect or the recording may have to end.
    func wait()
    /// Collects the available samples and events.
    func collect() throws(ProfileError)
    /// Stops sampling. Samples taken so far can still be collected.
    func stop()
}

/// Polls a source of samples until the recording ends.
struct RecordingLoop<Source: SampleSource> {
    var source: Source
    var rule: StopRule
    /// Time since the recording began.
    var elapsed: () -> Duration

    /// - Parameters:
    ///   - hasTargetEnded: whether there is nothing left to sample.
    ///   - request: a request to stop, if there was one.
    ///   - onRound: called after each round but the last, with the time since the recording began.
    /// - Returns: why the recording ended, and when.
    func run(
        hasTargetEnded: () -> Bool, request: () -> StopRequest?,
        onRound: (Duration) throws(ProfileError) -> Void = { _ in }
    ) throws(ProfileError) -> (reason: StopReason, elapsed: Duration) {
        while true {
            let elapsed = elapsed()
            if let reason = rule.reason(after: elapsed, hasTargetEnded: hasTargetEnded(), request: request()) {
                source.stop()
                try source.collect()
                return (reason, elapsed)
            }
            source.wait()
            try source.collect()
            try onRound(elapsed)
        }
    }
}
