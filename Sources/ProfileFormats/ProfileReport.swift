import JSONDocuments
import CallFrameInfo
import Files
import KernelUnwinder
import Profile
import Symbols

/// The format of `cfic profile --json`.
public struct JSONFormat: ProfileFormat {
    public let tellsProcessesApart = true

    /// The document has no options.
    public init() {}

    /// - Throws: `KernelError` if the counters can't be read, `EncodingError`.
    public func write(_ recording: Recording, names: Symbolizer, to output: inout some ByteSink) throws {
        let stacks = ProfileReport.countedStacks(recording, names)
        try JSONText.write(ProfileReport(recording, names), list: "stacks", stacks, to: &output)
    }
}

/// A profile for other programs to read: counters, and stacks with names.
struct ProfileReport: JSONDocument {
    static let schema = "profile"

    struct Frame: Encodable {
        /// docs/names.md
        var function: String
        /// The symbol that `function` was demangled from.
        var mangledName: String?
        /// AVMA
        @HexAddress var address: UInt64
        /// Whether the address is where the frame stopped: it is the innermost frame, or a signal interrupted it.
        /// Otherwise it is a return address.
        var isExact: Bool
        /// Whether it was found without a rule, or by way of such a frame.
        var isGuessed: Bool
        /// Whether the code that would confirm the guess could not be read.
        var isUnchecked: Bool
        /// Whether it was found in user space.
        var isFinished: Bool
        /// Whether the rule that led to it is inferred.
        var isInferred: Bool
        /// Whether the function is inlined into that of the next entry, which has the same address: both are one frame. Nil
        /// unless inlined functions were looked up, as the next two.
        var isInlined: Bool?
        /// The source file, as the compiler wrote it, and the line.
        var file: String?
        var line: UInt32?
    }

    struct KernelFrame: Encodable {
        var function: String
        @HexAddress var address: UInt64
    }

    struct Stack: Encodable {
        var thread: String
        var process: Int32
        /// The path of its cgroup, of version 2.
        var cgroup: String?
        /// Whether the thread waited, rather than running.
        var isWaiting: Bool
        /// How the walk ended, by its name in docs/stack-ends.md, such as `end-of-stack`; and the table's reason if
        /// that ended it.
        var end: String
        var reason: String?
        /// `complete`, `guessed` or `truncated`: docs/stack-ends.md.
        var outcome: String
        /// Whether the outcome is `complete`: rules alone led to the outermost frame.
        var isComplete: Bool
        /// Innermost first, as `kernelFrames`, which are the callees of these.
        var frames: [Frame]
        var kernelFrames: [KernelFrame]
    }

    struct CountedStack: Encodable {
        var samples: Int
        var nanoseconds: Int?
        var events: Int?
        var stack: Stack
    }

    var event: String
    /// Each sample stands for so many events; nil if samples were taken so many times a second.
    var period: Int?
    var seconds: Double
    /// The number of samples with a stack; lost samples are not included.
    var samples: Int
    var lostSamples: UInt64
    /// These and the next ones as in ``CountersReport``: what was not sampled, or is not known, for want of something.
    var missedEvents: UInt64
    var refusedProcesses: UInt64
    var lostProcessEvents: UInt64
    /// The samples that are waits, and how long all threads waited, estimated; nil if waits weren't sampled.
    var waits: Int?
    var waitedNanoseconds: Int?
    var completeStacks: Int
    /// Stacks whose outermost frame was reached with guesses.
    var guessedStacks: Int
    /// Stacks that were finished in user space, and the frames that they got there.
    var finishedStacks: Int
    var finishedFrameCount: Int
    /// The number of stacks by how the walk ended.
    var ends: [String: Int]
    var userFrameCount: Int
    /// Those of them that inferred rules led to, and not guesses.
    var inferredFrameCount: Int
    var kernelFrameCount: Int
    var lookups: UInt64
    var tables: Int
    /// The number of tables that are not in the kernel at the end, because all together exceed the limit.
    var evictedTables: Int
    var tableEvictions: Int
    var tableReloads: Int
    var kernelMemoryUsedBytes: Int
    var kernelMemoryBytes: Int
    /// Images without a table, with the reason. Their callers were found by the frame pointer, if at all.
    var imagesWithoutTable: [String: String]
    /// Problems with single files and processes.
    var problems: [String]
    /// How the command ended, unless its exit code was 0.
    var commandProblem: String?
    /// Written one by one, after the other fields: ``countedStacks(_:_:)``.
    var stacks: [CountedStack] = []

    init(_ recording: Recording, _ symbolizer: Symbolizer) throws(KernelError) {
        let counters = try recording.counters.get()
        event =
            switch recording.event {
            case .clock: "clock"
            case let event?: event.name
            case nil: "off-cpu"
            }
        period = recording.period
        seconds = recording.seconds
        let totals = recording.stacks.totals
        samples = totals.samples
        lostSamples = counters.lost
        (missedEvents, refusedProcesses) = (counters.missed, counters.unlisted)
        lostProcessEvents = counters.lostProcessEvents
        waits = recording.includesWaits ? totals.waits : nil
        waitedNanoseconds = recording.includesWaits ? Int(totals.waited.rounded()) : nil
        completeStacks = totals.outcomes[.complete] ?? 0
        guessedStacks = totals.outcomes[.guessed] ?? 0
        (finishedStacks, finishedFrameCount) = (totals.finishedStacks, totals.finishedFrames)
        ends = Dictionary(totals.ends.map { ($0.key.name, $0.value) }, uniquingKeysWith: +)
        (userFrameCount, inferredFrameCount) = (totals.userFrames, totals.inferredFrames)
        kernelFrameCount = totals.kernelFrames
        lookups = counters.lookups
        (tables, evictedTables) = (recording.memory.tables, recording.memory.evicted)
        (tableEvictions, tableReloads) = (recording.memory.evictions, recording.memory.reloads)
        kernelMemoryUsedBytes = recording.memory.used
        kernelMemoryBytes = recording.memory.mapped
        imagesWithoutTable = Dictionary(
            recording.processes.imagesWithoutTable.map { ($0.name, $0.problem) },
            uniquingKeysWith: { first, _ in first })
        problems = recording.problems + symbolizer.problems
        commandProblem = recording.commandEnd?.problem
    }

    /// The stacks, most frequent first. Each is made only when it is written, because 1,024 frames with names of a
    /// kilobyte take a mebibyte.
    static func countedStacks(_ recording: Recording, _ symbolizer: Symbolizer) -> some Sequence<CountedStack> {
        NamedStacks(recording, symbolizer).sorted().lazy.map {
            let weight = Int($0.weight.rounded())
            return CountedStack(
                samples: $0.count, nanoseconds: recording.countsTime ? weight : nil,
                events: recording.period == nil ? nil : weight,
                stack: Stack($0.stack, symbolizer, cgroup: recording.cgroups[$0.stack.cgroup]))
        }
    }
}

/// Merges stacks that are printed the same, such as those of two executables that a process ran.
private struct NamedStacks {
    private struct Key: Hashable {
        var stack: Stacks.Stack
        var names: [NameTable.ID]
    }

    typealias Counted = (stack: Stacks.Stack, count: Int, weight: Double)
    private var counts: [Key: Counted] = [:]

    init(_ recording: Recording, _ symbolizer: Symbolizer) {
        for (stack, count) in recording.stacks.counted where count > 0 {
            let key = Key(stack: stack, names: stack.userFrames.map { symbolizer.id(of: $0, in: stack.space) })
            counts[key, default: (stack, 0, 0)].count += count
            counts[key, default: (stack, 0, 0)].weight += recording.weight(of: stack, count: count)
        }
    }

    func sorted() -> [Counted] { counts.values.sorted(by: Self.comes) }

    private static func comes(_ one: Counted, before other: Counted) -> Bool {
        if one.weight != other.weight { return one.weight > other.weight }
        let (a, b) = (one.stack, other.stack)
        if a.space.process != b.space.process { return a.space.process < b.space.process }
        if a.userFrames != b.userFrames {
            return a.userFrames.map(\.pc).lexicographicallyPrecedes(b.userFrames.map(\.pc))
        }
        if a.kernelFrames != b.kernelFrames { return a.kernelFrames.lexicographicallyPrecedes(b.kernelFrames) }
        return (a.command, a.end.code, a.end.reason)
            < (b.command, b.end.code, b.end.reason)
    }
}

extension ProfileReport.Stack {
    init(_ stack: Stacks.Stack, _ symbolizer: Symbolizer, cgroup: String?) {
        self.init(
            thread: stack.command, process: stack.space.process, cgroup: cgroup, isWaiting: stack.isWaiting,
            end: stack.end.name,
            reason: stack.end.reasonName,
            outcome: stack.outcome.rawValue, isComplete: stack.outcome == .complete,
            frames: zip(stack.userFrames, stack.addresses).flatMap { frame, address in
                symbolizer.functions(of: frame, in: stack.space).map { function in
                    ProfileReport.Frame(
                        function: symbolizer.names[function.name], mangledName: function.symbol, address: address,
                        isExact: frame.isExact, isGuessed: frame.isGuessed, isUnchecked: frame.isUnchecked,
                        isFinished: frame.isFinished, isInferred: frame.isInferred,
                        isInlined: symbolizer.inlines ? function.isInlined : nil, file: function.file,
                        line: function.line)
                }
            },
            kernelFrames: stack.kernelFrames.map { address in
                ProfileReport.KernelFrame(function: symbolizer.kernelFunction(at: address), address: address)
            })
    }
}

extension ProfileReport.CountedStack {
    private enum CodingKeys: CodingKey { case samples, nanoseconds, events }

    /// Encodes one object: the count and the stack's own fields.
    func encode(to encoder: any Encoder) throws {
        try stack.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(samples, forKey: .samples)
        try container.encodeIfPresent(nanoseconds, forKey: .nanoseconds)
        try container.encodeIfPresent(events, forKey: .events)
    }
}
