import CLinux
import Glibc

/// An event that the kernel counts, and that can trigger samples: perf_event_open(2).
public struct SamplingEvent: Hashable, Sendable {
    /// What an event is.
    public enum Kind: String, Sendable {
        /// The processor counts it, if the machine has a counter for it.
        case hardware
        /// Time that passes on a CPU, in nanoseconds.
        case clock
        /// The kernel counts it.
        case software
        /// A place in the kernel's code.
        case tracepoint
    }

    /// The name that perf also uses; of a tracepoint, `group:name`.
    public let name: String
    /// Other names for it.
    public let aliases: [String]
    /// What it is.
    public let kind: Kind
    /// `perf_event_attr.type` and `config`
    let type: UInt32
    let config: UInt64

    private init(_ name: String, _ kind: Kind, type: UInt32, config: UInt64, aliases: [String] = []) {
        (self.name, self.kind, self.type, self.config, self.aliases) = (name, kind, type, config, aliases)
    }

    private static func hardware(_ name: String, _ config: perf_hw_id, _ aliases: String...) -> SamplingEvent {
        SamplingEvent(
            name, .hardware, type: PERF_TYPE_HARDWARE.rawValue, config: UInt64(config.rawValue), aliases: aliases)
    }

    private static func software(_ name: String, _ config: UInt64, _ aliases: String...) -> SamplingEvent {
        SamplingEvent(name, .software, type: PERF_TYPE_SOFTWARE.rawValue, config: config, aliases: aliases)
    }

    /// A tracepoint.
    ///
    /// - Parameters:
    ///   - name: `group:name`.
    ///   - id: its number in the running kernel.
    package init(tracepoint name: String, id: UInt64) {
        self.init(name, .tracepoint, type: PERF_TYPE_TRACEPOINT.rawValue, config: id)
    }

    /// Cycles of the processor.
    public static let cycles = hardware("cycles", PERF_COUNT_HW_CPU_CYCLES, "cpu-cycles")

    /// The time of CPUs, which all machines have.
    public static let clock = SamplingEvent(
        "cpu-clock", .clock, type: PERF_TYPE_SOFTWARE.rawValue, config: UInt64(PERF_COUNT_SW_CPU_CLOCK.rawValue))

    /// The events that don't depend on the processor's model and aren't tracepoints. A machine needn't have all of them.
    public static let generic: [SamplingEvent] = [
        cycles,
        hardware("instructions", PERF_COUNT_HW_INSTRUCTIONS),
        hardware("cache-references", PERF_COUNT_HW_CACHE_REFERENCES),
        hardware("cache-misses", PERF_COUNT_HW_CACHE_MISSES),
        hardware("branches", PERF_COUNT_HW_BRANCH_INSTRUCTIONS, "branch-instructions"),
        hardware("branch-misses", PERF_COUNT_HW_BRANCH_MISSES),
        hardware("bus-cycles", PERF_COUNT_HW_BUS_CYCLES),
        hardware("stalled-cycles-frontend", PERF_COUNT_HW_STALLED_CYCLES_FRONTEND, "idle-cycles-frontend"),
        hardware("stalled-cycles-backend", PERF_COUNT_HW_STALLED_CYCLES_BACKEND, "idle-cycles-backend"),
        hardware("ref-cycles", PERF_COUNT_HW_REF_CPU_CYCLES),
        clock,
        SamplingEvent(
            "task-clock", .clock, type: PERF_TYPE_SOFTWARE.rawValue, config: UInt64(PERF_COUNT_SW_TASK_CLOCK.rawValue)),
        software("page-faults", UInt64(PERF_COUNT_SW_PAGE_FAULTS.rawValue), "faults"),
        software("minor-faults", UInt64(PERF_COUNT_SW_PAGE_FAULTS_MIN.rawValue)),
        software("major-faults", UInt64(PERF_COUNT_SW_PAGE_FAULTS_MAJ.rawValue)),
        software("context-switches", UInt64(PERF_COUNT_SW_CONTEXT_SWITCHES.rawValue), "cs"),
        software("cpu-migrations", UInt64(PERF_COUNT_SW_CPU_MIGRATIONS.rawValue), "migrations"),
        software("alignment-faults", UInt64(PERF_COUNT_SW_ALIGNMENT_FAULTS.rawValue)),
        software("emulation-faults", UInt64(PERF_COUNT_SW_EMULATION_FAULTS.rawValue)),
        // PERF_COUNT_SW_CGROUP_SWITCHES, since Linux 5.13.
        software("cgroup-switches", 11),
    ]

    /// The generic event with this name.
    public static func generic(named name: String) -> SamplingEvent? {
        generic.first { $0.name == name || $0.aliases.contains(name) }
    }

    /// Hardware cycles if this machine counts them, else the clock.
    public static var best: SamplingEvent { cycles.isAvailable ? cycles : clock }

    /// Whether this machine has it, as far as this process may know.
    public var isAvailable: Bool {
        let descriptor = open(cpu: OnlineCPUs.list.first ?? 0, .period(1 << 30))
        if descriptor >= 0 { close(descriptor) }
        return descriptor >= 0 || !Self.isMissing(-descriptor)
    }

    /// Opens the event for all tasks of a CPU, disabled.
    ///
    /// - Returns: a descriptor, or a negated errno.
    package func open(cpu: Int32, _ rate: SamplingRate) -> Int32 {
        switch rate {
        case .frequency(let frequency): perf_open_sampling(cpu, type, config, UInt64(frequency), 1)
        case .period(let period): perf_open_sampling(cpu, type, config, UInt64(period), 0)
        }
    }

    /// Whether an errno means that the machine lacks the event, or can't sample by it.
    package static func isMissing(_ code: Int32) -> Bool { [ENOENT, ENODEV, EOPNOTSUPP, EINVAL].contains(code) }
}

/// How often an event triggers a sample.
public enum SamplingRate: Hashable, Sendable {
    /// So many times a second on each CPU, at least 1.
    case frequency(Int)
    /// Each Nth event on each CPU, at least 1.
    case period(Int)
}
