import KernelUnwinder
import Profile

/// Shows how far a recording is, on a terminal.
struct SamplingProgress {
    private let duration: Double?
    private let bar: ProgressBar

    /// - Parameter sharesTerminal: whether a command writes to the terminal at the same time.
    init(duration: Double?, sharesTerminal: Bool) {
        self.duration = duration
        bar = ProgressBar(isWorthwhile: !sharesTerminal)
    }

    func follow(_ profiler: Profiler) { profiler.onStatus = show }

    private func show(_ status: RecordingStatus) {
        bar.update(duration.map { status.seconds / $0 }, text(status))
    }

    private func text(_ status: RecordingStatus) -> String {
        let time = Quantity.fixed(status.seconds, 1)
        return [
            duration.map { "\(time) of \($0 == $0.rounded() ? Quantity.fixed($0, 0) : "\($0)") s" } ?? "\(time) s",
            Quantity.count(status.samples, "sample"),
            status.completeShare.map { "\(Quantity.percent($0)) of stacks complete" }, "Ctrl-C stops",
        ].compactMap { $0 }.joined(separator: " · ")
    }

    func finish() { bar.finish() }
}
