/// When a recording's counters are given out.
struct CounterReports {
    /// The time between two reports, at least.
    static let interval = Duration.seconds(5)

    private let receiver: ((RecordingCounters) -> Void)?
    private var last = Duration.zero

    init(_ receiver: ((RecordingCounters) -> Void)?) { self.receiver = receiver }

    /// Gives out the counters if it has been long enough.
    mutating func reportIfDue(
        after elapsed: Duration, _ counters: () throws(ProfileError) -> RecordingCounters
    ) throws(ProfileError) {
        guard let receiver, elapsed - last >= Self.interval else { return }
        last = elapsed
        receiver(try counters())
    }
}
