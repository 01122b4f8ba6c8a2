/// What a recording polls.
protocol SampleSource {
    /// Waits until there is something to collect, or until the recording may have to end.
    func wait()
    /// Takes in what is there.
    func collect() throws(ProfileError)
    /// Ends taking samples. What was taken can still be collected.
    func stop()
}

/// Polls a source until the recording ends.
struct RecordingLoop<Source: SampleSource> {
    var source: Source
    var rule: StopRule
    /// Time since the recording began.
    var elapsed: () -> Duration

    /// - Parameters:
    ///   - hasTargetEnded: whether there is nothing left to sample.
    ///   - request: what asked for the end.
    /// - Returns: why it ended, and after what time.
    func run(
        hasTargetEnded: () -> Bool, request: () -> StopRequest?
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
        }
    }
}
