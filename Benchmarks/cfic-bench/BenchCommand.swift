import ArgumentParser
@preconcurrency import Glibc

@main
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cfic-bench",
        abstract: "Measures the compiler, compares it with libdw and readelf, and tells which bars hold.",
        discussion: """
            Measures libLLVM, clang, swift-frontend, node, libc and bash, as far as this machine has them, then the \
            size of all tables of /usr/lib and /usr/bin, then a run over /usr and the Swift toolchain. Exits with 1 \
            if a bar is missed or could not be measured.
            """)

    @Flag(help: "Three rounds and neither sizes nor the run over /usr: minutes become seconds.")
    var quick = false

    @Flag(help: "Print JSON.")
    var json = false

    @Option(help: ArgumentHelp("The cfic to measure (default: the one beside this program).", valueName: "file"))
    var cfic: String?

    @Option(help: ArgumentHelp("The libdw walk (default: the one beside this program).", valueName: "file"))
    var libdwWalk: String?

    @Option(help: ArgumentHelp("Build this file's table once and print the CPU time.", visibility: .hidden))
    var coldBuild: String?

    func run() throws {
        if let coldBuild { return try printColdBuild(coldBuild) }
        let inputs = Inputs()
        var report = Report(rounds: quick ? 3 : 7, skipped: inputs.skipped.map { "not found: \($0)" })
        let tools = try ToolMeasurement(
            cfic: cfic ?? neighbour("cfic"), libdwWalk: libdwWalk ?? neighbour("libdw-walk"))
        let speed = SpeedMeasurement(inputs.found, rounds: report.rounds, tools: tools, progress: talk)
        report.speed = speed
        report.failures = speed.failures
        if quick {
            report.skipped += ["sizes and the run over /usr: --quick"]
        } else {
            measureDirectories(inputs, &report, tools.cfic)
        }
        print(json ? "\(report.json)" : report.text)
        if !report.isGood { throw ExitCode.failure }
    }

    private func measureDirectories(_ inputs: Inputs, _ report: inout Report, _ cfic: String) {
        talk("cfic compile /usr")
        // Not twice what lies below /usr; cfic would skip it, but its name would be in the report.
        let toolchain = inputs.toolchain.flatMap { $0 == "/usr" || $0.hasPrefix("/usr/") ? nil : $0 }
        do { report.tree = try TreeMeasurement(of: ["/usr"] + (toolchain.map { [$0] } ?? []), cfic: cfic) } catch {
            report.failures.append("\(error)")
        }
        talk("sizes of /usr/lib and /usr/bin")
        let size = SizeMeasurement(of: ["/usr/lib", "/usr/bin"])
        report.size = size
        report.failures += size.failures
    }

    private func talk(_ message: String) { fputs("cfic-bench: \(message)\n", stderr) }

    /// A program in the directory of this one.
    private func neighbour(_ name: String) -> String {
        "\(directory(resolved("/proc/self/exe") ?? "."))/\(name)"
    }
}
