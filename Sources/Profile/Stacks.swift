import KernelUnwinder

/// Stacks and how often each was seen. Addresses only: names come at the end.
public struct Stacks {
    /// A stack, of all processes that had it or of one.
    public struct Stack: Hashable, Sendable {
        /// The code that the addresses are in.
        public var program: ProgramID
        /// The thread's name.
        public var command: String
        /// The innermost first.
        public var kernelFrames: [UInt64]
        /// The innermost first.
        public var userFrames: [Sample.Frame]
        /// How the walk ended.
        public var end: StackEnd
        /// AVMAs of the user frames where the stacks of each process are told apart; else none.
        public var addresses: [UInt64] = []

        /// How much of the stack is known.
        public var outcome: StackOutcome { StackOutcome(end, hasGuesses: userFrames.contains(where: \.isGuessed)) }
    }

    /// The number of samples with each stack.
    public private(set) var counts: [Stack: Int] = [:]

    package init() {}

    package mutating func add(_ stack: Stack) { counts[stack, default: 0] += 1 }

    /// What was seen, in numbers. What the kernel's programs count has samples in it that were lost.
    public struct Totals: Sendable {
        /// Samples that were read.
        public var samples = 0
        /// Frames of user code, of all samples.
        public var userFrames = 0
        /// Frames of kernel code, of all samples.
        public var kernelFrames = 0
        /// Stacks by how much of them is known.
        public var outcomes: [StackOutcome: Int] = [:]
        /// Stacks by how their walk ended, whatever reason a table had.
        public var ends: [StackEnd: Int] = [:]
    }

    /// Sums over all stacks; takes time in proportion to their number.
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

    package init(process: Int32, isResolved: Bool = false) { (self.process, self.isResolved) = (process, isResolved) }
}
