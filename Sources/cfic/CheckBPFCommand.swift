import ArgumentParser
import BPFCheck

struct CheckBPFCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-bpf",
        abstract: "Say what a kernel will refuse of BPF objects, without loading them.",
        discussion: """
            Reads the instructions, types (BTF) and line information of objects as clang makes them and libbpf loads \
            them: global functions that take pointers, atomic and other new instructions, helpers, kernel functions, \
            kinds of programs, maps and their flags, stack and call depth. A branch that libbpf closes \
            (bpf_core_enum_value_exists, LINUX_KERNEL_VERSION) is taken as closed.

            What is known reaches from Linux \(KernelVersion.known.lowerBound) to \
            \(KernelVersion.known.upperBound); other releases are taken for the nearest of these. No finding doesn't \
            mean that the verifier agrees: it checks every access, which this doesn't.

            Examples:
              cfic check-bpf profiler.bpf.o --kernel 5.10
              cfic check-bpf *.bpf.o --kernel 5.10 --kernel 6.1 --machine aarch64
              cfic check-bpf --json profiler.bpf.o --kernel 5.10 | jq '.findings[].problem'

            Exit codes: 0 nothing found; 1 something found, or an object can't be read; 64 wrong usage.
            """)

    @Argument(help: ArgumentHelp("Object files with BPF programs.", valueName: "object"), completion: .file())
    var paths: [String]

    @Option(
        name: .customLong("kernel"),
        help: ArgumentHelp("A release of Linux, 5.10; may be repeated.", valueName: "version"))
    var kernels: [KernelVersion]

    @Option(
        name: .customLong("machine"),
        help: ArgumentHelp("x86-64 or aarch64; may be repeated. (default: both)", valueName: "name"))
    var machines: [TargetMachine] = []

    @Flag(help: "Report as JSON.")
    var json = false

    func validate() throws {
        if kernels.isEmpty { throw ValidationError("--kernel is missing: for which release of Linux, 5.10?") }
    }

    func run() throws {
        try reporting {
            var report = BPFReport()
            for path in paths {
                do {
                    report.add(try BPFObject(path: path), kernels: kernels, machines: chosenMachines)
                } catch {
                    report.failures.append("\(error)")
                }
            }
            if json { try JSONOutput.print(report) } else { report.write(kernels: kernels) }
            for failure in report.failures { Talk.error(failure) }
            if !report.findings.isEmpty || !report.failures.isEmpty { throw ExitCode(1) }
        }
    }

    private var chosenMachines: [TargetMachine] { machines.isEmpty ? TargetMachine.allCases : machines }
}

extension KernelVersion: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

extension TargetMachine: ExpressibleByArgument {}
