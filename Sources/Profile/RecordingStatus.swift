import KernelUnwinder

/// What a user who waits for a recording wants to know. Unlike ``RecordingCounters``, it includes what was finished in
/// user space.
public struct RecordingStatus: Sendable {
    /// Since sampling began.
    public var elapsed: Duration
    /// Samples that were read; waits count when they end.
    public var samples: Int
    /// Those of them whose stacks are complete.
    public var completeSamples: Int

    init(elapsed: Duration, _ stacks: Stacks) {
        self.elapsed = elapsed
        samples = StackOutcome.allCases.reduce(0) { $0 + stacks.samples($1) }
        completeSamples = stacks.samples(.complete)
    }

    /// ``elapsed`` in seconds.
    public var seconds: Double {
        Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
    }

    /// The share of complete stacks; nil without samples.
    public var completeShare: Double? { samples == 0 ? nil : Double(completeSamples) / Double(samples) }
}
