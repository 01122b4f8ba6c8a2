import KernelUnwinder

/// What was recorded, and how. Stacks have addresses only: ``Symbolizer`` names them.
public struct Recording {
    public var stacks: Stacks
    /// The code that the stacks' addresses are in.
    public var programs: Programs
    /// What samples were taken by.
    public var event: KernelUnwinder.Event
    /// How long samples were taken.
    public var elapsed: Duration
    /// What the BPF programs counted, or why that can't be read.
    public var counters: Result<Counters, KernelError>
    /// Kernel memory, at the end.
    public var memory: KernelUnwinder.MemoryUse
    /// How the command ended; nil of processes, and of a command that was ended with the recording.
    public var commandEnd: CommandEnd?
    /// What went wrong with single files and processes, in words.
    public var problems: [String]

    public init(
        stacks: Stacks, programs: Programs, event: KernelUnwinder.Event, elapsed: Duration,
        counters: Result<Counters, KernelError>, memory: KernelUnwinder.MemoryUse, commandEnd: CommandEnd? = nil,
        problems: [String] = []
    ) {
        self.stacks = stacks
        self.programs = programs
        self.event = event
        self.elapsed = elapsed
        self.counters = counters
        self.memory = memory
        self.commandEnd = commandEnd
        self.problems = problems
    }

    /// ``elapsed`` in seconds.
    public var seconds: Double {
        Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
    }
}
