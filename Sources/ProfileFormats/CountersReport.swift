import Files
import JSONDocuments
import KernelUnwinder
import Profile

/// The formats of a recording's counters.
public enum CountersFormat: String, Sendable, CaseIterable {
    /// A document that docs/json.md describes.
    case json
    /// Prometheus's text exposition format, version 0.0.4.
    case prometheus = "prom"

    /// By the extension of a file's name; nil if it has neither.
    public init?(path: String) {
        guard let format = Self.allCases.first(where: { path.hasSuffix("." + $0.rawValue) }) else { return nil }
        self = format
    }

    /// - Throws: `EncodingError`.
    public func text(_ counters: RecordingCounters) throws -> String {
        switch self {
        case .json: try JSONText.text(CountersReport(counters))
        case .prometheus: PrometheusText(counters).text
        }
    }
}

/// Counters for other programs to read.
struct CountersReport: JSONDocument {
    static let schema = "counters"

    struct Audit: Encodable {
        var agreeingStacks: Int
        var disagreeingStacks: Int
        var agreeingFrames: Int
        var disagreeingFrames: Int
        /// Percent.
        var agreement: Double?
        var agreeingFinishedFrames: Int
        var disagreeingFinishedFrames: Int
        /// Percent.
        var finishedAgreement: Double?
    }

    var seconds: Double
    var samples: UInt64
    var lostSamples: UInt64
    var missedEvents: UInt64
    var lostProcessEvents: UInt64
    var snapshots: UInt64
    var lostSnapshots: UInt64
    var stacks: [String: UInt64]
    var ends: [String: UInt64]
    var frames: [String: UInt64]
    var finishedStacks: Int
    var waits: Int?
    var waitedSeconds: Double?
    var lookups: [String: UInt64]
    var reads: [String: UInt64]
    var tableRequests: [String: Int]?
    var tables: [String: Int]
    var tableEvictions: Int
    var tableReloads: Int
    var tableMemoryRefusals: Int
    var tableMemoryUsedBytes: Int
    var tableMemoryBytes: Int
    var tableMemoryLimitBytes: Int
    var sampleRingBytes: Int
    var snapshotRingBytes: Int
    var residentBytes: Int?
    var processes: [String: Int]
    var refusedProcesses: UInt64
    var audit: Audit?

    init(_ counters: RecordingCounters) {
        let groups = CounterGroups(counters)
        seconds = counters.seconds
        (samples, lostSamples, missedEvents) = (counters.kernel.samples, counters.kernel.lost, counters.kernel.missed)
        lostProcessEvents = counters.kernel.lostProcessEvents
        (snapshots, lostSnapshots) = (counters.kernel.snapshots, counters.kernel.lostSnapshots)
        stacks = Dictionary(uniqueKeysWithValues: groups.stacks)
        ends = Dictionary(uniqueKeysWithValues: groups.ends)
        frames = Dictionary(uniqueKeysWithValues: groups.frames)
        finishedStacks = counters.finished.stacks
        (waits, waitedSeconds) = (counters.waits?.samples, counters.waits.map { $0.nanoseconds / 1e9 })
        lookups = Dictionary(uniqueKeysWithValues: groups.lookups)
        reads = Dictionary(uniqueKeysWithValues: groups.reads)
        tableRequests = groups.tableRequests.map { Dictionary(uniqueKeysWithValues: $0) }
        tables = Dictionary(uniqueKeysWithValues: groups.tables)
        (tableEvictions, tableReloads) = (counters.memory.evictions, counters.memory.reloads)
        tableMemoryRefusals = counters.memory.refusals
        tableMemoryUsedBytes = counters.memory.used
        tableMemoryBytes = counters.memory.mapped
        tableMemoryLimitBytes = counters.memory.budget
        (sampleRingBytes, snapshotRingBytes) = (counters.sampleRingBytes, counters.snapshotRingBytes)
        residentBytes = counters.residentBytes
        processes = Dictionary(uniqueKeysWithValues: groups.processes)
        refusedProcesses = counters.kernel.unlisted
        audit = counters.audit.map {
            Audit(
                agreeingStacks: $0.agreeingStacks, disagreeingStacks: $0.disagreeingStacks,
                agreeingFrames: $0.frames.agreeing, disagreeingFrames: $0.frames.disagreeing,
                agreement: $0.frames.agreement.map { 100 * $0 },
                agreeingFinishedFrames: $0.finishedFrames.agreeing,
                disagreeingFinishedFrames: $0.finishedFrames.disagreeing,
                finishedAgreement: $0.finishedFrames.agreement.map { 100 * $0 })
        }
    }
}

/// Counters that differ in a label, with that label, as both formats have them. No two labels of a group count the same.
struct CounterGroups {
    typealias Group<Number> = [(label: String, number: Number)]

    var stacks: Group<UInt64>
    /// Those that occurred.
    var ends: Group<UInt64>
    var frames: Group<UInt64>
    var lookups: Group<UInt64>
    var reads: Group<UInt64>
    var tableRequests: Group<Int>?
    var tables: Group<Int>
    var processes: Group<Int>

    init(_ counters: RecordingCounters) {
        let kernel = counters.kernel
        stacks = StackOutcome.allCases.map { ($0.rawValue, counters.stacks($0)) }
        ends = kernel.ends.enumerated().filter { $0.element > 0 }.map {
            (StackEnd(code: UInt32($0.offset)).name, $0.element)
        }
        frames = [
            ("kernel", kernel.kernelFrames),
            ("by-rules", kernel.userFrames - min(kernel.userFrames, kernel.guessedFrames + kernel.inferredFrames)),
            ("inferred", kernel.inferredFrames), ("guessed", kernel.guessedFrames),
            ("finished", UInt64(counters.finished.frames)),
        ]
        lookups = [("rule", kernel.lookups), ("mapping", kernel.mappingLookups)]
        reads = [("window", kernel.stackReads), ("other", kernel.otherReads)]
        tableRequests = counters.tableAnswers.map {
            [("cached", $0.found), ("compiled", $0.made), ("refused", $0.refused)]
        }
        let evicted = counters.memory.evicted
        tables = [
            ("loaded", counters.memory.tables - evicted), ("evicted", evicted), ("pending", counters.pendingTables),
        ]
        processes = [("known", counters.knownProcesses), ("unknown", counters.unknownProcesses)]
    }
}
