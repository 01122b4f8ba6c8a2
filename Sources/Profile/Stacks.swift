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
    package struct Number: Hashable, Sendable { let index: Int }

    private struct Tally {
        var samples = 0
        /// In nanoseconds.
        var waited = 0.0
    }

    /// What a stack is besides its frames.
    fileprivate struct Kind: Hashable {
        var space: AddressSpace
        var command: String
        var cgroup: UInt64
        var isWaiting: Bool
        var end: StackEnd
    }

    private struct Key: Hashable {
        /// In `kinds`.
        var kind: UInt32
        var kernelFrames, userFrames, addresses: FrameTree.Leaf
    }

    private var kernelCode = FrameTree()
    /// Frames in the common address space.
    private var commonCode = FrameTree()
    /// Frames and addresses of processes' own mappings.
    private var ownCode = FrameTree()
    private var kinds: [Kind] = []
    private var kindNumbers: [Kind: UInt32] = [:]
    /// By number.
    private var keys: [Key] = []
    private var tallies: [Tally] = []
    /// By number.
    private var outcomes: [StackOutcome] = []
    private var complete = 0
    private var guessed = 0
    private var truncated = 0
    private var numbers: [Key: Number] = [:]

    /// The number of different stacks.
    public var count: Int { keys.count }

    /// The memory that they take, approximately, in bytes.
    var byteCount: Int {
        let stack = MemoryLayout<Key>.stride + MemoryLayout<Tally>.stride
        // A dictionary is at least three eighths full.
        let entry = (MemoryLayout<Key>.stride + MemoryLayout<Number>.stride) * 2
        return kernelCode.byteCount + commonCode.byteCount + ownCode.byteCount + keys.count * (stack + entry)
    }

    /// The stacks with the number of samples of each, in the order in which they came first. Those that were never added have
    /// 0 samples.
    public var counted: some Sequence<(stack: Stack, samples: Int)> {
        keys.indices.lazy.map { (stack($0), tallies[$0].samples) }
    }

    /// The number of samples with each stack. Made from all of them on each call.
    public var counts: [Stack: Int] {
        Dictionary(uniqueKeysWithValues: counted.lazy.filter { $0.samples > 0 }.map { ($0.stack, $0.samples) })
    }

    /// The stack that a number stands for.
    func stack(_ number: Number) -> Stack { stack(number.index) }

    private func stack(_ index: Int) -> Stack {
        let key = keys[index], kind = kinds[Int(key.kind)]
        return Stack(
            space: kind.space, command: kind.command, cgroup: kind.cgroup, isWaiting: kind.isWaiting,
            kernelFrames: kernelCode.reversedWords(of: key.kernelFrames),
            userFrames: (kind.space.isResolved ? commonCode : ownCode).reversedWords(of: key.userFrames)
                .map(Sample.Frame.init(word:)),
            end: kind.end, addresses: ownCode.reversedWords(of: key.addresses))
    }

    /// How long threads waited with each stack.
    public struct Waited {
        fileprivate let stacks: Stacks

        /// In nanoseconds; estimated if only a share of the waits was sampled. Nil for stacks that don't wait.
        public subscript(stack: Stack) -> Double? {
            guard stack.isWaiting, let number = stacks.knownNumber(of: stack) else { return nil }
            return stacks.tallies[number.index].waited
        }
    }

    /// How long threads waited with each stack.
    public var waited: Waited { Waited(stacks: self) }

    package init() {}

    /// The stack's number, for adding samples.
    package mutating func number(of stack: Stack) -> Number {
        let kind = Kind(stack)
        let userWords = stack.userFrames.reversed().lazy.map(\.word)
        return number(
            of: Key(
                kind: kindNumbers[kind] ?? add(kind), kernelFrames: kernelCode.leaf(of: stack.kernelFrames.reversed()),
                userFrames: kind.space.isResolved ? commonCode.leaf(of: userWords) : ownCode.leaf(of: userWords),
                addresses: ownCode.leaf(of: stack.addresses.reversed())), outcome: stack.outcome)
    }

    private mutating func number(of key: Key, outcome: @autoclosure () -> StackOutcome) -> Number {
        if let known = numbers[key] { return known }
        let number = Number(index: keys.count)
        numbers[key] = number
        keys.append(key)
        tallies.append(Tally())
        outcomes.append(outcome())
        return number
    }

    private mutating func add(_ kind: Kind) -> UInt32 {
        let number = UInt32(kinds.count)
        kinds.append(kind)
        kindNumbers[kind] = number
        return number
    }

    private func knownNumber(of stack: Stack) -> Number? {
        let userWords = stack.userFrames.reversed().lazy.map(\.word)
        guard let kind = kindNumbers[Kind(stack)],
            let kernelFrames = kernelCode.knownLeaf(of: stack.kernelFrames.reversed()),
            let userFrames = (stack.space.isResolved ? commonCode : ownCode).knownLeaf(of: userWords),
            let addresses = ownCode.knownLeaf(of: stack.addresses.reversed())
        else { return nil }
        return numbers[Key(kind: kind, kernelFrames: kernelFrames, userFrames: userFrames, addresses: addresses)]
    }

    package mutating func add(_ stack: Stack) { add(number(of: stack)) }

    package mutating func add(_ number: Number) { count(1, of: number) }

    private mutating func count(_ samples: Int, of number: Number) {
        tallies[number.index].samples += samples
        switch outcomes[number.index] {
        case .complete: complete += samples
        case .guessed: guessed += samples
        case .truncated: truncated += samples
        }
    }

    /// The number of samples whose stacks have an outcome. Always known, unlike ``totals``.
    public func samples(_ outcome: StackOutcome) -> Int {
        switch outcome {
        case .complete: complete
        case .guessed: guessed
        case .truncated: truncated
        }
    }

    /// All of them.
    var all: some Collection<Stack> { keys.indices.lazy.map(stack) }

    /// Frames in the common address space, each at least once.
    var commonFrames: some Sequence<Sample.Frame> { commonCode.words.lazy.map(Sample.Frame.init(word:)) }

    /// Addresses of kernel code, each at least once.
    var kernelAddresses: some Sequence<UInt64> { kernelCode.words }

    /// Moves frames of the common address space and of the kernel. Stacks that become equal are counted as one. Takes time in
    /// proportion to the memory that stacks take, not to the frames of all.
    ///
    /// - Returns: the new number for an old one.
    mutating func moveFrames(
        _ move: (Sample.Frame) -> Sample.Frame, kernel: (UInt64) -> UInt64 = { $0 }
    ) -> (Number) -> Number {
        let newCommon = commonCode.map { move(Sample.Frame(word: $0)).word }
        let newKernel = kernelCode.map(kernel)
        let old = (keys: keys, tallies: tallies, outcomes: outcomes)
        (keys, tallies, outcomes, numbers) = ([], [], [], [:])
        (complete, guessed, truncated) = (0, 0, 0)
        let new = old.keys.indices.map { index in
            var key = old.keys[index]
            key.kernelFrames = newKernel(key.kernelFrames)
            if kinds[Int(key.kind)].space.isResolved { key.userFrames = newCommon(key.userFrames) }
            let number = number(of: key, outcome: old.outcomes[index])
            count(old.tallies[index].samples, of: number)
            tallies[number.index].waited += old.tallies[index].waited
            return number
        }
        return { new[$0.index] }
    }

    /// Adds a sample of a wait.
    ///
    /// - Parameter nanoseconds: its length, divided by the share of waits that was sampled.
    package mutating func add(_ number: Number, waited nanoseconds: Double) {
        count(1, of: number)
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
        /// Those of the user frames that inferred rules led to, and not guesses.
        public var inferredFrames = 0
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
        for (index, tally) in tallies.enumerated() where tally.samples > 0 {
            let stack = stack(index), count = tally.samples
            totals.samples += count
            if stack.isWaiting {
                totals.waits += count
                totals.waited += tally.waited
            }
            totals.userFrames += count * stack.userFrames.count
            totals.inferredFrames += count * stack.userFrames.count { $0.isInferred && !$0.isGuessed }
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

extension Stacks.Kind {
    fileprivate init(_ stack: Stacks.Stack) {
        self.init(
            space: stack.space, command: stack.command, cgroup: stack.cgroup, isWaiting: stack.isWaiting,
            end: stack.end)
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
