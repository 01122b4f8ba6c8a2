import ArgumentParser
import Glibc
import TreeCompiler
import UnwindTable

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Prove every index, offset and bound of table files.",
        discussion: """
            What is proved here is what a kernel loader relies on: that no lookup in the table leaves its page, \
            takes more than eight steps, or names a rule or program that isn't there. Directories are searched \
            for tables.

            Examples:
              cfic verify a.out.unwind
              cfic verify ~/.cache/cfic
            """)

    @Argument(help: ArgumentHelp("Table files, or directories to search.", valueName: "table"), completion: .file())
    var paths: [String]

    @Flag(help: "Report as JSON.")
    var json = false

    struct Verdict: Encodable {
        var path: String
        var isProved: Bool
        var problem: String?
        var rows: UInt64?
        var rules: Int?
        var bytes: Int?
    }

    func run() throws {
        try reporting {
            let walk = FileWalk(paths)
            var verdicts: [Verdict] = []
            for file in walk.files {
                if !file.isNamed, try !LoadedTable.isTable(file.path) { continue }
                verdicts.append(Self.verdict(file.path))
            }
            for problem in walk.problems {
                verdicts.append(Verdict(path: problem.path, isProved: false, problem: problem.problem))
            }
            if json { try JSONOutput.print(verdicts) } else { Self.write(verdicts) }
            if verdicts.isEmpty { throw Failure("no table found below \(paths.joined(separator: ", "))") }
            if !verdicts.allSatisfy(\.isProved) { throw ExitCode(1) }
        }
    }

    private static func verdict(_ path: String) -> Verdict {
        do {
            let table = try TableBytes(reading: path)
            let view = try TableVerifier.verify(table.bytes)
            return Verdict(
                path: path, isProved: true, rows: view.header.counts.rows, rules: view.rules.count,
                bytes: table.bytes.count)
        } catch let defect as TableDefect {
            return Verdict(path: path, isProved: false, problem: defect.description)
        } catch {
            return Verdict(path: path, isProved: false, problem: "\(error)")
        }
    }

    private static func write(_ verdicts: [Verdict]) {
        var output = StandardOutput()
        for verdict in verdicts where verdict.isProved {
            output.line(
                "\(verdict.path): proved: \(Quantity.count(verdict.rows ?? 0)) rows, "
                    + "\(Quantity.count(verdict.rules ?? 0)) rules, \(Quantity.bytes(UInt64(verdict.bytes ?? 0)))")
        }
        output.flush()
        for verdict in verdicts where !verdict.isProved {
            Talk.error("\(verdict.path): \(verdict.problem ?? "")")
        }
    }
}
