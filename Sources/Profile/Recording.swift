import KernelUnwinder
import LinuxProcess

/// A finished recording. Its stacks contain only addresses; ``Symbolizer`` names them.
public struct Recording {
    /// The stacks, each with its count.
    public var stacks: Stacks
    /// When samples were taken, in the order of ``Stacks/counted``; nil if that wasn't kept.
    public var timeline: Timeline?
    /// The code that the stacks' addresses are in.
    public var processes: ProcessHistories
    /// The cgroups that sampled threads were in.
    public var cgroups = CgroupPaths()
    /// The event that triggered samples of running threads; nil if there are only waits.
    public var event: SamplingEvent?
    /// Samples per second on each CPU, of running threads.
    public var frequency = 99
    /// N: each Nth event triggered a sample; nil if so many a second did.
    public var period: Int?
    /// Whether waits were sampled.
    public var includesWaits = false
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
        stacks: Stacks, processes: ProcessHistories, event: SamplingEvent?, elapsed: Duration,
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

    /// Whether the profile counts nanoseconds, rather than samples: it includes waits.
    public var countsTime: Bool { includesWaits }

    /// A stack's weight, in what the profile counts. If it counts time, a sample of a running thread stands for the time
    /// between two samples; if each Nth event triggered a sample, for N events.
    public func weight(of stack: Stacks.Stack, count: Int) -> Double {
        if !countsTime { return Double(count) * Double(period ?? 1) }
        return stack.isWaiting ? stacks.waited[stack] ?? 0 : Double(count) * 1e9 / Double(frequency)
    }

    /// ``elapsed`` in seconds.
    public var seconds: Double {
        Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
    }
}
