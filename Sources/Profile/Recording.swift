import KernelUnwinder

/// A finished recording. Its stacks contain only addresses; ``Symbolizer`` names them.
public struct Recording {
    /// The stacks, each with its count.
    public var stacks: Stacks
    /// The code that the stacks' addresses are in.
    public var processes: ProcessHistories
    /// The event that triggered samples.
    public var event: KernelUnwinder.Event
    /// The duration of sampling.
    public var elapsed: Duration
    /// Why sampling ended.
    public var stopReason: StopReason
    /// The counters of the BPF programs, or why they can't be read.
    public var counters: Result<Counters, KernelError>
    /// Kernel memory in use at the end.
    public var memory: KernelUnwinder.MemoryUse
    /// How the command ended; nil if processes were recorded, or if the command was terminated with the recording.
    public var commandEnd: CommandEnd?
    /// Problems with single files and processes, in words.
    public var problems: [String]

    /// A recording of these parts; ``Recorder`` has the stacks, the programs and the problems.
    public init(
        stacks: Stacks, processes: ProcessHistories, event: KernelUnwinder.Event, elapsed: Duration,
        stopReason: StopReason, counters: Result<Counters, KernelError>, memory: KernelUnwinder.MemoryUse,
        commandEnd: CommandEnd? = nil,
        problems: [String] = []
    ) {
        self.stacks = stacks
        self.processes = processes
        self.event = event
        self.elapsed = elapsed
        self.stopReason = stopReason
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
