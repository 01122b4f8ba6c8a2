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

    /// Stands for a stack: equal for equal stacks.
    package struct Number: Hashable, Sendable { fileprivate var index: Int }

    private struct Tally {
        var samples = 0
        /// In nanoseconds.
        var waited = 0.0
    }

    private var numbers: [Stack: Number] = [:]
    private var tallies: [Tally] = []

    /// The number of samples with each stack. Made from all of them on each call.
    public var counts: [Stack: Int] {
        numbers.compactMapValues { tallies[$0.index].samples > 0 ? tallies[$0.index].samples : nil }
    }

    /// How long threads waited with each stack.
    public struct Waited {
        fileprivate let stacks: Stacks

        /// In nanoseconds; estimated if only a share of the waits was sampled. Nil for stacks that don't wait.
        public subscript(stack: Stack) -> Double? {
            guard stack.isWaiting, let number = stacks.numbers[stack] else { return nil }
            return stacks.tallies[number.index].waited
        }
    }

    /// How long threads waited with each stack.
    public var waited: Waited { Waited(stacks: self) }

    package init() {}

    /// The stack's number, for adding samples.
    package mutating func number(of stack: Stack) -> Number {
        if let known = numbers[stack] { return known }
        let number = Number(index: tallies.count)
        numbers[stack] = number
        tallies.append(Tally())
        return number
    }

    package mutating func add(_ stack: Stack) { add(number(of: stack)) }

    package mutating func add(_ number: Number) { tallies[number.index].samples += 1 }

    /// All of them.
    var all: some Collection<Stack> { numbers.keys }

    /// Changes stacks. Those that become equal are counted as one.
    ///
    /// - Returns: the new number for an old one.
    mutating func map(_ change: (inout Stack) -> Void) -> (Number) -> Number {
        var changed = Self()
        var renumbered = Array(repeating: Number(index: 0), count: tallies.count)
        for (var stack, old) in numbers {
            change(&stack)
            let new = changed.number(of: stack)
            changed.tallies[new.index].samples += tallies[old.index].samples
            changed.tallies[new.index].waited += tallies[old.index].waited
            renumbered[old.index] = new
        }
        self = changed
        return { renumbered[$0.index] }
    }

    /// Adds a sample of a wait.
    ///
    /// - Parameter nanoseconds: its length, divided by the share of waits that was sampled.
    package mutating func add(_ number: Number, waited nanoseconds: Double) {
        tallies[number.index].samples += 1
        tallies[number.index].waited += nanoseconds
    }

    /// As ``add(_:waited:)``, for a stack that may be new.
    package mutating func add(_ stack: Stack, waited nanoseconds: Double) {
        add(number(of: stack), waited: nanoseconds)
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
        for (stack, number) in numbers {
            let count = tallies[number.index].samples
            if count == 0 { continue }
            totals.samples += count
            if stack.isWaiting {
                totals.waits += count
                totals.waited += tallies[number.index].waited
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
