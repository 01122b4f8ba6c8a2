import JSONDocuments
import ArgumentParser
import Glibc
import TableStore
import TableCompiler
import UnwindTable

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Prove that table files are safe for lookups.",
        discussion: """
            Checks every index, offset and bound that a kernel loader relies on: no lookup leaves its page, takes \
            more than eight steps, or names a rule or program that isn't there. Directories are searched for tables.

            Examples:
              cfic verify a.out.unwind
              cfic verify ~/.cache/cfic
            """)

    @Argument(
        help: ArgumentHelp("Table files, build ids in the cache, or directories to search.", valueName: "table"),
        completion: .file())
    var paths: [String]

    @OptionGroup var cache: CacheOption

    @Flag(help: "Report as JSON.")
    var json = false

    struct Report: JSONDocument {
        static let schema = "verify"

        var files: [Verdict] = []
        /// Tables that could not be proved, with the causes.
        var failures: [String] = []
    }

    struct Verdict: Encodable {
        var path: String
        var isProved: Bool
        /// Why it could not be proved.
        var message: String?
        var rows: UInt64?
        var rules: Int?
        var tableBytes: Int?

        var failure: String? { isProved ? nil : "\(path): \(message ?? "")" }
    }

    func run() throws {
        try reporting {
            let walk = FileWalk(paths.filter { !LoadedTable.isBuildID($0) })
            var report = Report()
            for buildID in paths where LoadedTable.isBuildID(buildID) {
                report.files.append(verdict(buildID: buildID))
            }
            for file in walk.files {
                if !file.isNamed, try !LoadedTable.isTable(file.path) { continue }
                report.files.append(Self.verdict(file.path))
            }
            for problem in walk.problems {
                report.files.append(Verdict(path: problem.path, isProved: false, message: problem.problem))
            }
            report.failures = report.files.compactMap(\.failure)
            if json { try JSONText.print(report) } else { Self.write(report) }
            if report.files.isEmpty { throw noneFound("table", below: paths) }
            if !report.failures.isEmpty { throw ExitCode(1) }
        }
    }

    private func verdict(buildID: String) -> Verdict {
        do {
            return Self.verdict(try cache.store().lookup(buildIDPrefixHex: buildID).path)
        } catch {
            return Verdict(path: buildID, isProved: false, message: "\(error)")
        }
    }

    private static func verdict(_ path: String) -> Verdict {
        do {
            let table = try TableFile(reading: path)
            let view = try TableVerifier.verify(table.bytes)
            return Verdict(
                path: path, isProved: true, rows: view.header.counts.rows, rules: view.rules.count,
                tableBytes: table.bytes.count)
        } catch let defect as TableDefect {
            return Verdict(path: path, isProved: false, message: defect.description)
        } catch let reason as NotCurrent {
            return Verdict(path: path, isProved: false, message: reason.problem)
        } catch {
            return Verdict(path: path, isProved: false, message: "\(error)")
        }
    }

    private static func write(_ report: Report) {
        var output = StandardOutput()
        for verdict in report.files where verdict.isProved {
            output.line(
                "\(verdict.path): proved: \(Quantity.count(verdict.rows ?? 0)) rows, "
                    + "\(Quantity.count(verdict.rules ?? 0)) rules, \(Quantity.bytes(UInt64(verdict.tableBytes ?? 0)))")
        }
        output.flush()
        for failure in report.failures { Diagnostics.error(failure) }
    }
}
