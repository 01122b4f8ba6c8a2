import KernelUnwinder

/// Stacks and how often each was seen. Addresses only: names come at the end.
public struct Stacks {
    /// A stack of one program of one process.
    public struct Stack: Hashable, Sendable {
        public var program: ProgramID
        /// The thread's name.
        public var command: String
        /// The innermost first.
        public var kernelFrames: [UInt64]
        public var userFrames: [Sample.Frame]
        public var end: StackEnd

        public var outcome: StackOutcome { StackOutcome(end, hasGuesses: userFrames.contains(where: \.isGuessed)) }
    }

    public private(set) var counts: [Stack: Int] = [:]

    public init() {}

    public mutating func add(_ stack: Stack) { counts[stack, default: 0] += 1 }
}

extension Stacks.Stack {
    /// Of the first program of the sample's process, until it is known which one it was.
    init(_ sample: Sample) {
        self.init(
            program: ProgramID(process: sample.process, number: 0), command: sample.command,
            kernelFrames: Array(sample.kernelFrames), userFrames: Array(sample.userFrames), end: sample.end)
    }
}

/// Which program of which process an address belongs to: addresses mean something else after an exec.
public struct ProgramID: Hashable, Sendable {
    public var process: Int32
    /// One of those that were seen to run in it, the first being 0.
    public var number: Int
}
