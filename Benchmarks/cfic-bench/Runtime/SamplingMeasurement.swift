import CLibbpf
import CLinux
import CUnwindTable
import CallChain
import Files
@preconcurrency import Glibc
import LinuxProcess
import Symbols

/// What it costs to sample running threads, beside `perf record`: `make bench-runtime`.
///
/// The sampled program computes, 60 frames deep in 64 different stacks (`busy_chain.h`).
struct SamplingMeasurement {
    /// A profiler of the whole machine.
    struct Profiler {
        var name: String
        var words: [String]
        /// Its open events and attached programs while it samples.
        var attachments: Int
        /// Whether only the busy programs are sampled.
        var namesProcesses = false
    }

    /// A profiler's use of the machine in windows of time, while both CPUs or all but one are busy.
    struct Cost {
        var name: String
        var frequency: Int
        var windows: [RunningProfiler.Use] = []
        /// Samples in each window; of perf none.
        var samples: [Double] = []
        /// Until a second after sampling began.
        var start = RunningProfiler.Use()
        var memory: (resident: Double, tables: Double)?

        /// Percent of one CPU.
        var user: Double? { windows.map { $0.cpu / $0.wall * 100 }.median }
        var kernel: Double? { windows.map { $0.bpf / $0.wall * 100 }.median }
        var both: Double? { windows.map { ($0.cpu + $0.bpf) / $0.wall * 100 }.median }
        /// Microseconds a sample: of user space, and of BPF programs.
        var userPerSample: Double? { zip(windows, samples).map { $0.cpu * 1e6 / $1 }.median }
        var kernelPerSample: Double? { zip(windows, samples).map { $0.bpf * 1e6 / $1 }.median }
    }

    /// Times of the sampled program, in seconds, one per round.
    struct Busy {
        var name: String
        var cpu: [Double] = []
        /// Shares of the CPU time.
        var interrupted: [Double] = []
    }

    private static let depth = 60
    private static let slow = 99, fast = 4999
    static let sleepers = 500

    var costs: [Cost] = []
    var alone = Busy(name: "alone"), again = Busy(name: "alone again")
    var slowed: [Busy] = []
    /// Seconds from the start of cfic to its first stack by rules, with 500 processes more than there were.
    var first: [Double] = []
    /// Why there are no figures of perf; nil if there are.
    var withoutPerf: String?

    init(cfic: String, rounds: Int, progress: (String) -> Void) throws {
        let scratch = try TemporaryDirectory()
        let statistics = bpf_enable_stats(BPF_STATS_RUN_TIME)
        guard statistics >= 0 else {
            throw ProcessFailure(description: "BPF statistics: \(systemMessage(-statistics))")
        }
        defer { close(statistics) }
        do {
            let output = scratch.path + "/perf"
            _ = try run(["perf", "record", "-a", "-o", output, "--", "/bin/true"])
        } catch { withoutPerf = "\(error)" }
        progress("the cost of sampling at \(Self.slow) Hz")
        for profiler in profilers(cfic, Self.slow, scratch.path) {
            costs.append(try Self.cost(of: profiler, Self.slow, windows: min(rounds, 5), seconds: 2))
        }
        progress("the cost of sampling at \(Self.fast) Hz")
        let only = Profiler(
            name: "cfic profile -p", words: [cfic, "profile", "-F", "\(Self.fast)", "-o", "/dev/null"],
            attachments: 2 * Self.cpus + 2, namesProcesses: true)
        costs.append(try Self.cost(of: only, Self.fast, windows: min(rounds, 5), seconds: 1))
        for profiler in profilers(cfic, Self.fast, scratch.path) {
            costs.append(try Self.cost(of: profiler, Self.fast, windows: min(rounds, 5), seconds: 1))
        }
        try measureSlowDown(profilers(cfic, Self.fast, scratch.path), rounds, progress)
        progress("the first stack, among \(Self.sleepers) processes")
        try measureStart(cfic, rounds)
    }

    private static var cpus: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

    private func profilers(_ cfic: String, _ frequency: Int, _ directory: String) -> [Profiler] {
        let perf = ["perf", "record", "-a", "-F", "\(frequency)", "-o", directory + "/perf"]
        let both = [
            // An event on each CPU, two programs that follow processes, and the events of processes.
            Profiler(
                name: "cfic profile -a", words: [cfic, "profile", "-a", "-F", "\(frequency)", "-o", "/dev/null"],
                attachments: 2 * Self.cpus + 2),
            Profiler(name: "perf record -a -g", words: perf + ["-g"], attachments: Self.cpus),
            Profiler(
                name: "perf record -a --call-graph dwarf", words: perf + ["--call-graph", "dwarf"],
                attachments: Self.cpus),
        ]
        return withoutPerf == nil ? both : [both[0]]
    }

    // MARK: The profiler's own use

    private static func cost(of profiler: Profiler, _ frequency: Int, windows: Int, seconds: Double) throws -> Cost {
        let busy = try (0..<cpus).map { try Background(["--busy-chain", "0", "--cpu", "\($0)"]) }
        defer { for process in busy { process.end() } }
        var cost = Cost(name: profiler.name, frequency: frequency)
        let named = profiler.namesProcesses ? busy.flatMap { ["-p", "\($0.process)"] } : []
        let running = try RunningProfiler(profiler.words + named)
        defer { running.stop() }
        try running.waitUntilSampling(profiler.attachments)
        cost.start = running.use
        cost.start.wall -= running.began
        let counters = counters(running.maps)
        defer { if let counters { close(counters) } }
        for _ in 0..<windows {
            let (before, counted) = (running.use, try counters.map(samples))
            usleep(UInt32(seconds * 1e6))
            cost.windows.append(running.use - before)
            if let counters, let counted { cost.samples.append(try samples(counters) - counted) }
        }
        cost.memory = running.memory
        return cost
    }

    // MARK: The program's slow-down

    private mutating func measureSlowDown(
        _ profilers: [Profiler], _ rounds: Int, _ progress: (String) -> Void
    ) throws {
        progress("the slow-down at \(Self.fast) Hz")
        slowed = [Busy(name: "interrupts without a program")] + profilers.map { Busy(name: $0.name) }
        // An eighth of a second.
        var work = 100
        while try Self.busy(rounds: work).cpu < 0.125 { work *= 2 }
        work *= 4
        for _ in 0..<rounds {
            try alone.add(Self.busy(rounds: work))
            let events = try Self.events()
            usleep(100_000)
            try slowed[0].add(Self.busy(rounds: work))
            for event in events { close(event) }
            for (index, profiler) in profilers.enumerated() {
                let running = try RunningProfiler(profiler.words)
                defer { running.stop() }
                try running.waitUntilSampling(profiler.attachments)
                try slowed[index + 1].add(Self.busy(rounds: work))
            }
            try again.add(Self.busy(rounds: work))
        }
    }

    /// Events like those of a profiler, with nothing attached.
    private static func events() throws -> [Int32] {
        try (0..<cpus).map { cpu in
            let event = SamplingEvent.best.open(cpu: Int32(cpu), .frequency(fast))
            guard event >= 0 else { throw ProcessFailure(description: "sampling: \(systemMessage(-event))") }
            perf_enable(event, 1)
            return event
        }
    }

    private static func busy(rounds: Int) throws -> busy_chain {
        let scratch = try TemporaryDirectory()
        let output = scratch.path + "/output"
        _ = try run(["/proc/self/exe", "--busy-chain", "\(rounds)", "--cpu", "0"], output: output)
        let numbers = (smallFile(output) ?? "").split { " \n".contains($0) }.compactMap { Double($0) }
        guard numbers.count == 2 else { throw ProcessFailure(description: "the busy program printed no times") }
        return busy_chain(cpu: numbers[0], interrupted: numbers[1])
    }

    /// Runs in that process.
    static func printBusy(rounds: Int, cpu: Int) throws {
        var measured = busy_chain()
        guard busy_chain(Int32(cpu), Int32(depth), rounds, &measured) == 0 else {
            throw ProcessFailure(description: "the busy program failed")
        }
        print(measured.cpu, measured.interrupted)
    }

    // MARK: The first stack

    private mutating func measureStart(_ cfic: String, _ rounds: Int) throws {
        let sleeping = try (0..<Self.sleepers).map { _ in try Background(["--sleep"]) }
        defer { for process in sleeping { process.end() } }
        let busy = try Background(["--busy-chain", "0", "--cpu", "0"])
        defer { busy.end() }
        for round in 0...min(rounds, 7) {
            let running = try RunningProfiler([cfic, "profile", "-a", "-o", "/dev/null"])
            defer { running.stop() }
            var counters: Int32?
            defer { if let counters { close(counters) } }
            try running.wait("unwind a stack") {
                counters = counters ?? Self.counters(running.maps)
                return try counters.map { try Self.sum($0) { $0.lookups } >= UInt64(Self.depth) } ?? false
            }
            // The first one warms the cache.
            if round > 0 { first.append(Clock.wall - running.began) }
        }
    }

    /// The map of counters among a process's maps.
    private static func counters(_ maps: Set<UInt32>) -> Int32? {
        for id in maps {
            let descriptor = bpf_map_get_fd_by_id(id)
            if descriptor < 0 { continue }
            var info = bpf_map_info(), size = UInt32(MemoryLayout<bpf_map_info>.size)
            if bpf_obj_get_info_by_fd(descriptor, &info, &size) == 0,
                withUnsafeBytes(of: info.name, { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }) == "counters"
            {
                return descriptor
            }
            close(descriptor)
        }
        return nil
    }

    private static func samples(_ counters: Int32) throws -> Double { Double(try sum(counters) { $0.samples }) }

    /// One of the counters, of all CPUs.
    private static func sum(_ counters: Int32, _ value: (cfic_counters) -> UInt64) throws -> UInt64 {
        let count = Int(libbpf_num_possible_cpus())
        var values = Array(repeating: cfic_counters(), count: max(1, count))
        var zero: UInt32 = 0
        guard bpf_map_lookup_elem(counters, &zero, &values) == 0 else {
            throw ProcessFailure(description: "reading counters: \(systemMessage(errno))")
        }
        return values.reduce(0) { $0 + value($1) }
    }
}

extension SamplingMeasurement.Busy {
    mutating func add(_ measured: busy_chain) {
        cpu.append(measured.cpu)
        interrupted.append(measured.interrupted / measured.cpu)
    }
}

/// A process of this executable, in the background.
private struct Background {
    let process: pid_t

    init(_ words: [String]) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
        var arguments: [UnsafeMutablePointer<CChar>?] = (["cfic-bench"] + words).map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var child: pid_t = 0
        let code = posix_spawn(&child, "/proc/self/exe", &actions, nil, &arguments, environ)
        guard code == 0 else { throw ProcessFailure(description: "starting a process: \(systemMessage(code))") }
        process = child
    }

    func end() {
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
    }
}
