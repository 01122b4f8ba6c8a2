import JSONDocuments
import ArgumentParser
import Files
import Glibc
import KernelUnwinder
import TableCompiler
import UnwindTable

struct KernelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernel",
        abstract: "Check that this kernel loads the BPF programs, and show the verifier's work on each.",
        discussion: """
            Loads the programs that unwind stacks, and unloads them. The verifier follows each branch of a program \
            instruction by instruction and gives up after 1,000,000 instructions; this prints how many it processed.

            --object loads nothing: it writes the programs to an object file, for other loaders and for cfic check-bpf.

            Examples:
              sudo cfic kernel
              cfic kernel --object unwinder.bpf.o && cfic check-bpf unwinder.bpf.o --kernel 5.10
            """)

    @Flag(help: "Report as JSON.")
    var json = false

    @Option(help: ArgumentHelp("Write the programs to this file instead.", valueName: "file"), completion: .file())
    var object: String?

    func validate() throws {
        if json, object != nil { throw ValidationError("--object measures nothing, so it excludes --json.") }
    }

    func run() throws {
        try reporting {
            if let object {
                try KernelUnwinder.objectFile.withUnsafeBytes { try OutputFile.write($0, to: object) }
                return
            }
            var options = KernelUnwinder.Options()
            options.batches = true
            let unwinder = try KernelUnwinder(tables: CompilingSupply(store: nil), options)
            let report = KernelReport(
                kernel: KernelUnwinder.kernelRelease, machine: try KernelUnwinder.hostMachine.name,
                programs: unwinder.verifiedPrograms.map {
                    KernelReport.Program(name: $0.name, instructions: $0.instructions)
                })
            if json { try JSONText.print(report) } else { report.write() }
        }
    }
}

/// The verifier's work for each BPF program.
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
        out.line("Linux \(kernel), \(machine): loads all programs")
        out.line("INSTRUCTIONS  PROGRAM")
        for program in programs {
            let count = program.instructions.map { Quantity.count($0) } ?? "-"
            out.line(String(repeating: " ", count: max(0, 12 - count.count)) + count + "  " + program.name)
        }
        out.flush()
    }
}
