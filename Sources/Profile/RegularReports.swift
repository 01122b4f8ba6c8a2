/// When a recording's counters, or its status, are given out.
struct RegularReports<Report> {
    /// The time between two reports, at least.
    let interval: Duration
    private let receiver: ((Report) -> Void)?
    private var last = Duration.zero

    init(every interval: Duration, _ receiver: ((Report) -> Void)?) {
        (self.interval, self.receiver) = (interval, receiver)
    }

    /// Gives out a report if it has been long enough.
    mutating func reportIfDue(
        after elapsed: Duration, _ report: () throws(ProfileError) -> Report
    ) throws(ProfileError) {
        guard let receiver, elapsed - last >= interval else { return }
        last = elapsed
        receiver(try report())
    }
}
