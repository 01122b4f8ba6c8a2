import ArgumentParser
import ELF
import TreeCompiler
import UnwindTable
import Validation

struct ValidateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate",
        abstract: "Compare tables with libdw, address by address.",
        discussion: """
            Compiles each file and compares what its table and libdw say wherever either of them can change, one \
            address before and one after. Both are evaluated on the same made-up registers and memory, and must give \
            the same CFA, frame pointer and return address, the same end of stack and the same signal frames. \
            Differences that are nobody's fault, or known to be libdw's, are counted by name. Separate debug files \
            are left out on both sides.

            Exit code 1 if a difference is left, or a file can't be read.

            Examples:
              cfic validate /bin/bash
              cfic validate /usr/lib --states 4
            """)

    @Argument(help: ArgumentHelp("ELF files, or directories to search.", valueName: "path"), completion: .file())
    var paths: [String]

    @Option(help: ArgumentHelp("Made-up states that each rule is evaluated on.", valueName: "count"))
    var states = 2

    @Option(help: ArgumentHelp("Other states for another number.", valueName: "number"))
    var seed: UInt64 = 1

    @Flag(help: "Report as JSON.")
    var json = false

    func validate() throws {
        if !(1...64).contains(states) { throw ValidationError("--states takes a number from 1 to 64.") }
    }

    func run() throws {
        try reporting {
            let walk = FileWalk(paths)
            let bar = ProgressBar(isWorthwhile: walk.files.count > 5)
            let total = walk.files.reduce(0) { $0 + $1.size }
            var done: UInt64 = 0
            var report = ValidationReport()
            report.failures = walk.problems.map { "\($0.path): \($0.problem)" }
            for file in walk.files {
                add(file, to: &report)
                done += file.size
                bar.update(done, of: total)
            }
            bar.finish()
            if json { try JSONOutput.print(report) } else { report.write() }
            if !report.isGood { throw ExitCode(1) }
        }
    }

    private func add(_ file: FoundFile, to report: inout ValidationReport) {
        do {
            guard try file.isNamed || file.isELF() else { return }
            let table = try LoadedTable(compiling: file.path, debugFiles: nil)
            let reference = try ReferenceImage(path: file.path)
            table.withView { view in
                report.files.append(ValidationReport.File(
                    file.path, TableValidation(view, reference, states: states, seed: seed), view))
            }
        } catch let skip as SkippedFile {
            if file.isNamed {
                report.failures.append(skip.description)
            } else {
                report.skipped.append(skip.description)
            }
        } catch {
            report.failures.append("\(error)")
        }
    }
}
