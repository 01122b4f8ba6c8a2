import ArgumentParser
import Glibc
import KernelUnwinder
import TableStore
import UnwindTable

struct KernelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernel",
        abstract: "Try whether this kernel takes the programs, and what its verifier spends on each.",
        discussion: """
            Loads the programs that unwind stacks, and takes them back. The verifier follows a program instruction by \
            instruction along its branches, and gives up after 1,000,000; what it processed of each program is printed.

            With --object nothing is loaded: the programs are written to an object file, for other loaders and for \
            cfic check-bpf.

            Examples:
              sudo cfic kernel
              cfic kernel --object unwinder.bpf.o && cfic check-bpf unwinder.bpf.o --kernel 5.10
            """)

    @Flag(help: "Report as JSON.")
    var json = false

    @Option(help: ArgumentHelp("Write the programs there instead.", valueName: "file"), completion: .file())
    var object: String?

    func validate() throws {
        if json, object != nil { throw ValidationError("With --object nothing is measured: there is no JSON.") }
    }

    func run() throws {
        try reporting {
            if let object {
                try KernelUnwinder.objectFile.withUnsafeBytes { try TableStore.write($0, to: object) }
                return
            }
            var options = KernelUnwinder.Options()
            options.batches = true
            let unwinder = try KernelUnwinder(options)
            let report = KernelReport(
                kernel: KernelUnwinder.kernelRelease, machine: try KernelUnwinder.hostMachine.name,
                programs: unwinder.verifiedPrograms.map {
                    KernelReport.Program(name: $0.name, instructions: $0.instructions)
                })
            if json { try JSONOutput.print(report) } else { report.write() }
        }
    }
}

/// What the verifier spent.
private struct KernelReport: JSONDocument {
    static let schema = "kernel"

    struct Program: Encodable {
        var name: String
        var instructions: Int?
    }

    var kernel: String
    var machine: String
    var programs: [Program]

    func write() {
        var out = StandardOutput()
        out.line("Linux \(kernel), \(machine): takes all programs")
        out.line("INSTRUCTIONS  PROGRAM")
        for program in programs {
            let count = program.instructions.map { Quantity.count($0) } ?? "-"
            out.line(String(repeating: " ", count: max(0, 12 - count.count)) + count + "  " + program.name)
        }
        out.flush()
    }
}
