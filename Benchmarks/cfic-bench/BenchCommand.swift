import ArgumentParser
import TableStore
import UnwindTable
@preconcurrency import Glibc

@main
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cfic-bench",
        abstract: "Measures the compiler, compares it with libdw and readelf, and reports which bars hold.",
        discussion: """
            Measures a run over /usr and the Swift toolchain, then libLLVM, clang, swift-frontend, node, libc and \
            bash, as far as this machine has them, then the size of all tables of /usr/lib and /usr/bin. Exits with \
            1 if a bar is missed or could not be measured.
            """)

    @Flag(help: "Run three rounds, without sizes and the run over /usr: seconds instead of minutes.")
    var quick = false

    @Flag(help: "Measure only the BPF programs.")
    var kernel = false

    @Flag(help: "Measure only what sampling costs the programs that are sampled.")
    var runtime = false

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Directories with aarch64 files, whose tables' size to measure.", valueName: "directory"))
    var arm64: [String] = []

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Measure only lookups in the tables of these files, of either machine; print JSON."))
    var lookups: [String] = []

    @Flag(help: "Print JSON.")
    var json = false

    @Option(help: ArgumentHelp("The cfic to measure (default: the one next to this program).", valueName: "file"))
    var cfic: String?

    @Option(help: ArgumentHelp("The libdw walk (default: the one next to this program).", valueName: "file"))
    var libdwWalk: String?

    @Option(help: ArgumentHelp("The minimal walk (default: the one next to this program).", valueName: "file"))
    var minimalWalk: String?

    @Option(help: ArgumentHelp("Build this file's table once and print the CPU time.", visibility: .hidden))
    var coldBuild: String?

    @Option(
        help: ArgumentHelp(
            "Build this file's table repeatedly for a profiler, and print the CPU time per row.", visibility: .hidden))
    var warmBuild: String?

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Count the ELF files below these directories, and their bytes.", visibility: .hidden))
    var countELF: [String] = []

    @Option(
        help: ArgumentHelp("Pass a byte to and fro between two processes, and print the times.", visibility: .hidden))
    var pingPong: Int?

    @Option(help: ArgumentHelp("Compute, in 64 stacks of 60 frames, and print the times.", visibility: .hidden))
    var busyChain: Int?

    @Option(help: ArgumentHelp("The CPU for that.", visibility: .hidden))
    var cpu = 0

    @Option(help: ArgumentHelp("Wait often for so many seconds, and print how long.", visibility: .hidden))
    var knownWaits: Double?

    @Flag(help: ArgumentHelp("Wait to be killed.", visibility: .hidden))
    var sleep = false

    @Option(help: ArgumentHelp("Map this many libraries and wait.", visibility: .hidden))
    var mapLibraries: Int?

    func run() throws {
        if let mapLibraries { return LibraryProcess.mapLibraries(mapLibraries) }
        if sleep { while true { pause() } }
        if let knownWaits { return try RuntimeMeasurement.printKnownWaits(knownWaits) }
        if let busyChain { return try SamplingMeasurement.printBusy(rounds: busyChain, cpu: cpu) }
        if let pingPong { return try RuntimeMeasurement.printPingPong(pingPong) }
        if runtime { return try measureRuntime() }
        if !lookups.isEmpty { return try printLookups(lookups) }
        if !countELF.isEmpty { return printELFCount(countELF) }
        if let coldBuild { return try printColdBuild(coldBuild) }
        if let warmBuild { return try printWarmBuild(warmBuild) }
        let inputs = Inputs()
        var report = Report(rounds: quick ? 3 : 7, skipped: inputs.skipped.map { "not found: \($0)" })
        if !kernel { try measureCompiler(inputs, &report) }
        measureKernel(inputs, &report)
        print(json ? "\(report.json)" : report.text)
        if !report.isGood { throw ExitCode.failure }
    }

    private func printLookups(_ paths: [String]) throws {
        print(
            JSON.object(
                try paths.map { path in (path, try LookupTimes(path: path, rounds: quick ? 3 : 7).json) }))
    }

    private func measureRuntime() throws {
        var report = Report(rounds: quick ? 3 : 15)
        let cfic = cfic ?? neighbour("cfic")
        do {
            let sampling = try SamplingMeasurement(cfic: cfic, rounds: report.rounds, progress: talk)
            report.sampling = sampling
            if let problem = sampling.withoutPerf { report.skipped.append("perf record: \(problem)") }
        } catch { report.failures.append("sampling: \(error)") }
        do {
            report.runtime = try RuntimeMeasurement(cfic: cfic, rounds: report.rounds, progress: talk)
        } catch { report.failures.append("sampling waits: \(error)") }
        print(json ? "\(report.json)" : report.text)
        if !report.isGood { throw ExitCode.failure }
    }

    private func measureCompiler(_ inputs: Inputs, _ report: inout Report) throws {
        let tools = try ToolMeasurement(
            cfic: cfic ?? neighbour("cfic"), libdwWalk: libdwWalk ?? neighbour("libdw-walk"),
            minimalWalk: minimalWalk ?? neighbour("minimal-walk"))
        if quick {
            report.skipped.append("sizes and the run over /usr: --quick")
        } else {
            // Before everything else, while this process is small (see ProcessCost.peakMemory) and has read no files.
            measureTree(inputs, &report, tools)
        }
        let speed = SpeedMeasurement(inputs.found, rounds: report.rounds, tools: tools, progress: talk)
        report.speed = speed
        report.failures += speed.failures
        if !quick { measureSize(&report) }
    }

    /// Needs the privilege to load BPF programs; without it, this is a failure.
    private func measureKernel(_ inputs: Inputs, _ report: inout Report) {
        let large = ["clang", "swift-frontend", "libLLVM"]
        guard let input = large.lazy.compactMap({ name in inputs.found.first { $0.name == name } }).first else {
            report.skipped.append("the BPF programs: none of \(large.joined(separator: ", ")) is installed")
            return
        }
        do {
            let scratch = try TemporaryDirectory()
            report.kernel = try KernelMeasurement(
                input, rounds: report.rounds, store: TableStore(directory: scratch.path), progress: talk)
        } catch {
            report.failures.append("the BPF programs: \(error)")
        }
    }

    private func measureTree(_ inputs: Inputs, _ report: inout Report, _ tools: borrowing ToolMeasurement) {
        // A toolchain in /usr is already included.
        let toolchain = inputs.toolchain.flatMap { $0 == "/usr" || $0.hasPrefix("/usr/") ? nil : $0 }
        let roots = ["/usr"] + (toolchain.map { [$0] } ?? [])
        talk("cfic compile \(roots.joined(separator: " "))")
        do { report.tree = try TreeMeasurement(of: roots, tools: tools) } catch { report.failures.append("\(error)") }
    }

    private func measureSize(_ report: inout Report) {
        measureSize(["/usr/lib", "/usr/bin"], .x86_64, &report)
        if arm64.isEmpty {
            report.skipped.append("sizes of aarch64 tables: --arm64 names no directory")
        } else {
            measureSize(arm64, .aarch64, &report)
        }
    }

    private func measureSize(_ roots: [String], _ machine: TableMachine, _ report: inout Report) {
        talk("sizes of the \(machine) tables of \(roots.joined(separator: " and "))")
        let size = SizeMeasurement(of: roots, machine: machine)
        report.sizes.append(size)
        report.failures += size.failures
    }

    private func talk(_ message: String) { fputs("cfic-bench: \(message)\n", stderr) }

    /// The path of an executable in the directory of this one.
    private func neighbour(_ name: String) -> String {
        "\(directory(resolved("/proc/self/exe") ?? "."))/\(name)"
    }
}
