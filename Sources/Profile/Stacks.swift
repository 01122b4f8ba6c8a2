import KernelUnwinder

/// Stacks and how often each was seen. Addresses only: names come at the end.
public struct Stacks {
    /// A stack, of all processes that had it or of one.
    public struct Stack: Hashable, Sendable {
        public var program: ProgramID
        /// The thread's name.
        public var command: String
        /// The innermost first.
        public var kernelFrames: [UInt64]
        public var userFrames: [Sample.Frame]
        public var end: StackEnd
        /// AVMAs of the user frames where the stacks of each process are told apart; else none.
        public var addresses: [UInt64] = []

        public var outcome: StackOutcome { StackOutcome(end, hasGuesses: userFrames.contains(where: \.isGuessed)) }
    }

    public private(set) var counts: [Stack: Int] = [:]

    public init() {}

    public mutating func add(_ stack: Stack) { counts[stack, default: 0] += 1 }

    /// What was seen, in numbers. What the kernel's programs count has samples in it that were lost.
    public struct Totals: Sendable {
        public var samples = 0
        public var userFrames = 0
        public var kernelFrames = 0
        /// Stacks by how much of them is known.
        public var outcomes: [StackOutcome: Int] = [:]
        /// Stacks by how their walk ended, whatever reason a table had.
        public var ends: [StackEnd: Int] = [:]
    }

    public var totals: Totals {
        var totals = Totals()
        for (stack, count) in counts {
            totals.samples += count
            totals.userFrames += count * stack.userFrames.count
            totals.kernelFrames += count * stack.kernelFrames.count
            totals.outcomes[stack.outcome, default: 0] += count
            totals.ends[StackEnd(code: stack.end.code), default: 0] += count
        }
        return totals
    }
}

extension Stacks.Stack {
    /// With the process's own addresses.
    init(_ sample: Sample) {
        self.init(
            program: ProgramID(process: sample.process), command: sample.command,
            kernelFrames: Array(sample.kernelFrames), userFrames: Array(sample.userFrames), end: sample.end)
    }
}

/// Where a stack's addresses mean something.
public struct ProgramID: Hashable, Sendable {
    /// 0 of stacks that are not told apart by process.
    public var process: Int32
    /// Whether addresses are those of all code; else they are the process's own, as it maps its code now.
    public var isResolved: Bool

    public init(process: Int32, isResolved: Bool = false) { (self.process, self.isResolved) = (process, isResolved) }
}
