import ArgumentParser
import KernelUnwinder
import LinuxProcess

/// The event that triggers samples, and how often, as the options `-e`, `-c` and `-F` specify them.
struct SampledEvent {
    /// Nil: hardware cycles if the machine counts them, else the CPU clock.
    var name: String?
    /// -c
    var period: Int?
    /// -F
    var frequency: Int?

    static let help = ArgumentHelp(
        "Sample this event instead of CPU time; --list-events lists those of this machine.", valueName: "event")

    private var kind: SamplingEvent.Kind? {
        name.flatMap { $0.contains(":") ? .tracepoint : SamplingEvent.generic(named: $0)?.kind }
    }

    /// - Throws: `ValidationError` if there can be no such event, or if the options contradict one another.
    func check() throws {
        if let frequency, !(1...100_000).contains(frequency) {
            throw ValidationError("-F takes 1 to 100000 samples a second.")
        }
        if let period, !(1...Int(UInt32.max)).contains(period) {
            throw ValidationError("-c takes 1 to \(UInt32.max) events.")
        }
        guard let name else {
            if period != nil { throw ValidationError("-c counts events: name one with -e.") }
            return
        }
        guard let kind else { throw ValidationError(Self.unknown(name)) }
        if kind == .tracepoint, !Tracepoints.isName(name) {
            throw ValidationError("A tracepoint is specified as group:name, and '\(name)' is not.")
        }
        if period != nil, frequency != nil {
            throw ValidationError("Specify -c (each of so many events) or -F (samples a second), not both.")
        }
        if kind == .clock, period != nil { throw ValidationError("\(name) is time: use -F instead of -c.") }
        if kind.isCounted, frequency != nil {
            throw ValidationError("\(name) is counted: use -c (each of so many events) instead of -F.")
        }
    }

    private static func unknown(_ name: String) -> String {
        let names = SamplingEvent.generic.map(\.name)
        let nearest = NearestNames.of(name, among: names + SamplingEvent.generic.flatMap(\.aliases))
        return "There is no event '\(name)'" + (nearest.question.isEmpty ? "." : nearest.question) + " There are "
            + names.joined(separator: ", ")
            + ", and tracepoints, which are specified as group:name; --list-events lists them."
    }

    /// N, if each Nth event triggers a sample: what is counted is by default sampled each time, and what measures time
    /// so many times a second.
    var usedPeriod: Int? { period ?? (kind?.isCounted == true ? 1 : nil) }

    /// The BPF program's period, if the event is a tracepoint.
    var tracepointPeriod: UInt32? { kind == .tracepoint ? usedPeriod.map { UInt32(clamping: $0) } : nil }

    /// Whether samples stand for time.
    var isTime: Bool { kind == nil || kind == .clock || name.flatMap(SamplingEvent.generic(named:)) == .cycles }

    /// The event; nil if none was named.
    ///
    /// - Throws: ``Failure`` if this machine doesn't have it, or if this user may not know.
    func find() throws -> SamplingEvent? {
        guard let name else { return nil }
        if let event = SamplingEvent.generic(named: name) {
            guard event.isAvailable else { throw KernelError.noSuchEvent(event) }
            return event
        }
        let tracepoints = try Tracepoints()
        do throws(Tracepoints.Failure) {
            return try tracepoints.event(named: name)
        } catch {
            guard error == .unknown(name) else { throw error }
            let nearest = NearestNames.of(name, among: (try? tracepoints.names()) ?? [])
            throw Failure("\(error)\(nearest.question)")
        }
    }
}

extension SamplingEvent.Kind {
    /// Whether each event matters, rather than how much of something passes.
    fileprivate var isCounted: Bool { self == .software || self == .tracepoint }
}
