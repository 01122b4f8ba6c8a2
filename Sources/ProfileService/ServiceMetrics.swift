import Profile
import ProfileFormats
import Synchronization

/// What is served under /metrics: the recording's counters, and those of the service.
public final class ServiceMetrics: Sendable {
    private struct State {
        /// The recording's counters as they were given out last.
        var recording = ""
        var statuses: [UInt32: Int] = [:]
        var pushes: [@Sendable () -> PushCounters] = []
    }

    private let state = Mutex(State())
    static let type = "text/plain; version=0.0.4; charset=utf-8"

    /// Without counters.
    public init() {}

    /// Notes the recording's counters.
    public func note(_ counters: RecordingCounters) {
        // It can't fail: the text format has no encoder.
        guard let text = try? CountersFormat.prometheus.text(counters) else { return }
        state.withLock { $0.recording = text }
    }

    func count(status: UInt32) { state.withLock { $0.statuses[status, default: 0] += 1 } }

    func add(_ counters: @escaping @Sendable () -> PushCounters) { state.withLock { $0.pushes.append(counters) } }

    func text(connections: Int, waiting: Int, _ intervals: IntervalRequests) -> String {
        let (recording, statuses, pushes) = state.withLock { ($0.recording, $0.statuses, $0.pushes) }
        var text = recording
        func add(_ name: String, _ kind: String, _ help: String, _ values: [(label: String, number: Int)]) {
            text += "# HELP cfic_\(name) \(help)\n# TYPE cfic_\(name) \(kind)\n"
            for (label, number) in values { text += "cfic_\(name)\(label) \(number)\n" }
        }
        add("http_connections", "gauge", "Open connections of clients.", [("", connections)])
        add("http_profiles_waiting", "gauge", "Requests that wait for a profile.", [("", waiting)])
        add(
            "http_answers_total", "counter", "Answers to clients, by their status.",
            statuses.sorted { $0.key < $1.key }.map { ("{status=\"\($0.key)\"}", $0.value) })
        add(
            "intervals_dropped_total", "counter", "Intervals that were not named in time, and are in no profile.",
            [("", intervals.droppedIntervals)])
        if pushes.isEmpty { return text }
        let counters = pushes.map { $0() }
        add(
            "pushes_total", "counter", "Profiles that were to be pushed, by what became of them.",
            counters.flatMap { one in
                [
                    ("delivered", one.delivered), ("refused", one.refused), ("rejected", one.rejected),
                    ("dropped", one.dropped),
                ].map { ("{target=\"\(one.target)\",result=\"\($0.0)\"}", $0.1) }
            })
        add(
            "push_failures_total", "counter", "Attempts to push that failed, and are repeated.",
            counters.map { ("{target=\"\($0.target)\"}", $0.failures) })
        add(
            "push_warnings_total", "counter", "Answers with a warning of profiles that were delivered.",
            counters.map { ("{target=\"\($0.target)\"}", $0.warnings) })
        add(
            "push_waiting_bytes", "gauge", "Profiles that wait to be pushed.",
            counters.map { ("{target=\"\($0.target)\"}", $0.waitingBytes) })
        return text
    }
}
