import JSONDocuments
import CallFrameInfo
import Files
import KernelUnwinder
import Profile
import Symbols

/// The document of `cfic profile --json`.
public struct JSONFormat: ProfileFormat {
    public let tellsProcessesApart = true

    public init() {}

    /// - Throws: `KernelError` if the counters can't be read, `EncodingError`.
    public func write(_ recording: Recording, names: Symbolizer, to output: inout some ByteSink) throws {
        let stacks = ProfileReport.countedStacks(recording.stacks, names)
        try JSONText.write(ProfileReport(recording), list: "stacks", stacks, to: &output)
    }
}

/// A profile as a program reads it: what was counted, and the stacks with names.
struct ProfileReport: JSONDocument {
    static let schema = "profile"

    struct Frame: Encodable {
        /// docs/names.md
        var function: String
        /// AVMA
        @HexAddress var address: UInt64
        /// Whether the frame stands there: the innermost one, or one that a signal interrupted. Else a call returns
        /// there.
        var isExact: Bool
        /// Whether it was found without a rule, or by way of a frame that was.
        var isGuessed: Bool
        /// Whether the code that would speak for the guess could not be read.
        var isUnchecked: Bool
    }

    struct KernelFrame: Encodable {
        var function: String
        @HexAddress var address: UInt64
    }

    struct Stack: Encodable {
        var thread: String
        var process: Int32
        /// How the walk ended, by its name in docs/stack-ends.md, written `end-of-stack`; and the table's reason where
        /// that is what it ended by.
        var end: String
        var reason: String?
        /// `complete`, `guessed` or `truncated`: docs/stack-ends.md.
        var outcome: String
        /// Whether it is `complete`: rules alone led to the outermost frame.
        var isComplete: Bool
        /// The innermost first, as those of the kernel, which come before.
        var frames: [Frame]
        var kernelFrames: [KernelFrame]
    }

    struct CountedStack: Encodable {
        var samples: Int
        var stack: Stack
    }

    var event: String
    var seconds: Double
    /// That stacks were recorded of; those that were lost are not among them.
    var samples: Int
    var lostSamples: UInt64
    var completeStacks: Int
    /// To the outermost frame, in part by guesses.
    var guessedStacks: Int
    /// Stacks by how their walk ended.
    var ends: [String: Int]
    var userFrameCount: Int
    var kernelFrameCount: Int
    var lookups: UInt64
    var tables: Int
    var kernelMemoryUsedBytes: Int
    var kernelMemoryBytes: Int
    /// Images whose frames were found by the frame pointer, if at all, and why.
    var imagesWithoutTable: [String: String]
    /// How the command ended, if not well.
    var commandProblem: String?
    /// Written one by one, behind the rest: ``countedStacks(_:_:)``.
    var stacks: [CountedStack] = []

    init(_ recording: Recording) throws(KernelError) {
        let counters = try recording.counters.get()
        event = recording.event == .cycles ? "cycles" : "clock"
        seconds = recording.seconds
        let totals = recording.stacks.totals
        samples = totals.samples
        lostSamples = counters.lost
        completeStacks = totals.outcomes[.complete] ?? 0
        guessedStacks = totals.outcomes[.guessed] ?? 0
        ends = Dictionary(totals.ends.map { ($0.key.name, $0.value) }, uniquingKeysWith: +)
        userFrameCount = totals.userFrames
        kernelFrameCount = totals.kernelFrames
        lookups = counters.lookups
        tables = recording.memory.tables
        kernelMemoryUsedBytes = recording.memory.used
        kernelMemoryBytes = recording.memory.mapped
        imagesWithoutTable = Dictionary(
            recording.programs.imagesWithoutTable.map { ($0.name, $0.problem) },
            uniquingKeysWith: { first, _ in first })
        commandProblem = recording.commandEnd?.problem
    }

    /// The stacks as they are written, the most frequent first: made when they are asked for, because a name of a
    /// kilobyte in each of 1,024 frames makes a mebibyte.
    static func countedStacks(_ stacks: Stacks, _ symbolizer: Symbolizer) -> some Sequence<CountedStack> {
        NamedStacks(stacks, symbolizer).sorted().lazy.map {
            CountedStack(samples: $0.count, stack: Stack($0.stack, symbolizer))
        }
    }
}

/// Stacks that are told apart by what is printed of them: programs of one process are not.
private struct NamedStacks {
    private struct Key: Hashable {
        var stack: Stacks.Stack
        var names: [NameTable.ID]
    }

    private var counts: [Key: (stack: Stacks.Stack, count: Int)] = [:]

    init(_ stacks: Stacks, _ symbolizer: Symbolizer) {
        for (stack, count) in stacks.counts {
            let key = Key(stack: stack, names: stack.userFrames.map { symbolizer.id(of: $0, in: stack.program) })
            counts[key, default: (stack, 0)].count += count
        }
    }

    func sorted() -> [(stack: Stacks.Stack, count: Int)] { counts.values.sorted(by: Self.comes) }

    private static func comes(
        _ one: (stack: Stacks.Stack, count: Int), before other: (stack: Stacks.Stack, count: Int)
    ) -> Bool {
        if one.count != other.count { return one.count > other.count }
        let (a, b) = (one.stack, other.stack)
        if a.program.process != b.program.process { return a.program.process < b.program.process }
        if a.userFrames != b.userFrames {
            return a.userFrames.map(\.pc).lexicographicallyPrecedes(b.userFrames.map(\.pc))
        }
        if a.kernelFrames != b.kernelFrames { return a.kernelFrames.lexicographicallyPrecedes(b.kernelFrames) }
        return (a.command, a.end.code, a.end.reason)
            < (b.command, b.end.code, b.end.reason)
    }
}

extension ProfileReport.Stack {
    init(_ stack: Stacks.Stack, _ symbolizer: Symbolizer) {
        self.init(
            thread: stack.command, process: stack.program.process, end: stack.end.name, reason: stack.end.reasonName,
            outcome: stack.outcome.rawValue, isComplete: stack.outcome == .complete,
            frames: zip(stack.userFrames, stack.addresses).map { frame, address in
                ProfileReport.Frame(
                    function: symbolizer.name(of: frame, in: stack.program), address: address, isExact: frame.isExact,
                    isGuessed: frame.isGuessed, isUnchecked: frame.isUnchecked)
            },
            kernelFrames: stack.kernelFrames.map { address in
                ProfileReport.KernelFrame(function: symbolizer.kernelFunction(at: address), address: address)
            })
    }
}

extension ProfileReport.CountedStack {
    private enum CodingKeys: CodingKey { case samples }

    /// One object: the count beside the stack's own fields.
    func encode(to encoder: any Encoder) throws {
        try stack.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(samples, forKey: .samples)
    }
}
