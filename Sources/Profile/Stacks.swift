import KernelUnwinder

/// Stacks with the number of samples of each. They contain addresses; names are added at the end.
public struct Stacks {
    /// A stack, of one process or of all processes that had it.
    public struct Stack: Hashable, Sendable {
        /// The code that the addresses are in.
        public var space: AddressSpace
        /// The thread's name.
        public var command: String
        /// The id of the thread's cgroup, of version 2.
        public var cgroup: UInt64 = 0
        /// Whether the thread waited, rather than running.
        public var isWaiting = false
        /// Innermost first.
        public var kernelFrames: [UInt64]
        /// The innermost first.
        public var userFrames: [Sample.Frame]
        /// How the walk ended.
        public var end: StackEnd
        /// AVMAs of the user frames if stacks are kept apart by process; else empty.
        public var addresses: [UInt64] = []

        /// How much of the stack is known.
        public var outcome: StackOutcome { StackOutcome(end, hasGuesses: userFrames.contains(where: \.isGuessed)) }
    }

    /// The number of samples with each stack.
    public private(set) var counts: [Stack: Int] = [:]

    /// How long threads waited with each stack, in nanoseconds; of stacks that wait. Estimated if only a share of the
    /// waits was sampled.
    public private(set) var waited: [Stack: Double] = [:]

    package init() {}

    package mutating func add(_ stack: Stack) { counts[stack, default: 0] += 1 }

    /// Adds a sample of a wait.
    ///
    /// - Parameter nanoseconds: its length, divided by the share of waits that was sampled.
    package mutating func add(_ stack: Stack, waited nanoseconds: Double) {
        add(stack)
        waited[stack, default: 0] += nanoseconds
    }

    /// Totals over all stacks. Unlike the BPF programs' counters, they don't include lost samples.
    public struct Totals: Sendable {
        /// Samples that were read.
        public var samples = 0
        /// Those of them that are waits.
        public var waits = 0
        /// How long all threads waited, in nanoseconds.
        public var waited = 0.0
        /// Frames of user code, of all samples.
        public var userFrames = 0
        /// Frames of kernel code, of all samples.
        public var kernelFrames = 0
        /// Stacks that were finished in user space.
        public var finishedStacks = 0
        /// The frames that they got there.
        public var finishedFrames = 0
        /// The number of stacks by outcome.
        public var outcomes: [StackOutcome: Int] = [:]
        /// The number of stacks by how the walk ended, without the table's reason.
        public var ends: [StackEnd: Int] = [:]
    }

    /// Sums over all stacks; takes time in proportion to their number.
    public var totals: Totals {
        var totals = Totals()
        for (stack, count) in counts {
            totals.samples += count
            if stack.isWaiting {
                totals.waits += count
                totals.waited += waited[stack] ?? 0
            }
            totals.userFrames += count * stack.userFrames.count
            let finished = stack.userFrames.count { $0.isFinished }
            totals.finishedStacks += finished > 0 ? count : 0
            totals.finishedFrames += count * finished
            totals.kernelFrames += count * stack.kernelFrames.count
            totals.outcomes[stack.outcome, default: 0] += count
            totals.ends[StackEnd(code: stack.end.code), default: 0] += count
        }
        return totals
    }
}

extension Stacks.Stack {
    /// Creates a stack with the process's own addresses.
    init(_ sample: Sample) {
        self.init(
            space: AddressSpace(process: sample.process), command: sample.command, cgroup: sample.cgroup,
            isWaiting: sample.isWait, kernelFrames: Array(sample.kernelFrames), userFrames: Array(sample.userFrames),
            end: sample.end)
    }
}

/// The address space that a stack's addresses belong to.
public struct AddressSpace: Hashable, Sendable {
    /// 0 if stacks aren't kept apart by process.
    public var process: Int32
    /// Whether addresses are those of the common address space; otherwise they are AVMAs of the process's current
    /// mappings.
    public var isResolved: Bool

    package init(process: Int32, isResolved: Bool = false) { (self.process, self.isResolved) = (process, isResolved) }
}
