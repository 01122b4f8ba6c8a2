import JSONDocuments
import LinuxProcess

/// The events of this machine: `cfic profile --list-events`.
struct EventList: JSONDocument {
    static let schema = "profile --list-events"

    struct Event: Encodable {
        /// As `-e` takes it.
        var name: String
        /// `hardware`, `clock`, `software` or `tracepoint`.
        var kind: String
    }

    var events: [Event]

    /// Why tracepoints are not in the list; nil if they are.
    private(set) var problem: String?

    private enum CodingKeys: CodingKey { case events }

    init() {
        events = SamplingEvent.generic.filter(\.isAvailable).map { Event(name: $0.name, kind: $0.kind.rawValue) }
        do throws(Tracepoints.Failure) {
            events += try Tracepoints().names().map { Event(name: $0, kind: SamplingEvent.Kind.tracepoint.rawValue) }
        } catch { problem = "\(error)" }
    }

    func write(asJSON: Bool) throws {
        if asJSON { try JSONText.print(self) } else { writeText() }
        if !events.contains(where: { $0.kind == SamplingEvent.Kind.hardware.rawValue }) {
            Diagnostics.remark("this machine has no hardware counters, like most virtual machines")
        }
        if let problem { Diagnostics.remark(problem) }
    }

    private func writeText() {
        var output = StandardOutput()
        for event in events {
            output.line(event.kind.padding(to: "tracepoint".count) + "  " + event.name)
        }
        output.flush()
    }
}

extension String {
    fileprivate func padding(to count: Int) -> String {
        self + String(repeating: " ", count: max(0, count - self.count))
    }
}
