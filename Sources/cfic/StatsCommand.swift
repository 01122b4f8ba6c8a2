import JSONDocuments
import ArgumentParser
import ELF
import TableCompiler
import TableStore
import UnwindTable

struct StatsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Show how much code can be unwound, and why the rest can't.",
        discussion: """
            Takes ELF files (also relocatable ones, and archives of them), tables, and directories. Coverage is the \
            share of executable bytes that have a rule or are known to end the stack. Padding between functions \
            gets the preceding rule and counts as covered.

            Examples:
              cfic stats /bin/bash
              cfic stats build/ --min-coverage 98     exits with 1 if a file has less
              cfic stats --json /usr/bin | jq '.files[] | select(.coverage < 0.9) | .path'
            """)

    @Argument(
        help: ArgumentHelp("ELF files, tables, build ids in the cache, or directories to search.", valueName: "path"),
        completion: .file())
    var paths: [String]

    @Option(
        name: .customLong("min-coverage"),
        help: ArgumentHelp(
            "Exit with 1 if a file's coverage is below this, or nothing can be measured.", valueName: "percent"))
    var minimumCoverage: Double?

    @Flag(help: "Report as JSON.")
    var json = false

    @OptionGroup var cache: CacheOption
    @OptionGroup var debugFiles: DebugFileOptions
    @OptionGroup var demangling: DemangleOption

    struct Report: JSONDocument {
        static let schema = "stats"

        var files: [FileStatistics] = []
        var skipped: [String] = []
        var failures: [String] = []

        var isEmpty: Bool { files.isEmpty && skipped.isEmpty && failures.isEmpty }
    }

    func validate() throws {
        if let minimumCoverage, !(0...100).contains(minimumCoverage) {
            throw ValidationError("--min-coverage takes a percentage between 0 and 100.")
        }
    }

    func run() throws {
        try reporting {
            let walk = FileWalk(paths.filter { !LoadedTable.isBuildID($0) })
            let bar = ProgressBar(isWorthwhile: walk.files.count > 20)
            let total = walk.files.reduce(0) { $0 + $1.size }
            var done: UInt64 = 0
            var report = Report()
            report.failures = walk.problems.map { "\($0.path): \($0.problem)" }
            for file in walk.files {
                add(file, to: &report)
                done += file.size
                bar.update(done, of: total)
            }
            bar.finish()
            for buildID in paths where LoadedTable.isBuildID(buildID) { addTable(buildID, to: &report) }
            if json { try JSONText.print(report) } else { StatsText(report).write() }
            try judge(report)
        }
    }

    private func add(_ file: FoundFile, to report: inout Report) {
        do {
            if try LoadedTable.isTable(file.path) {
                let bytes = try TableFile(named: file.path)
                report.files.append(FileStatistics(try LoadedTable(bytes, file.path), path: file.path, demangling, nil))
                return
            }
            if try Self.isArchive(file.path) { return try addMembers(of: file.path, to: &report) }
            guard try file.isNamed || file.isELF() else { return }
            let image = try ELFImage(path: file.path)
            if try addRelocatable(image, to: &report) { return }
            let table = try LoadedTable(compiling: file.path, debugFiles: debugFiles.search)
            report.files.append(FileStatistics(table, path: file.path, demangling, debugFiles.search))
        } catch let skip as SkippedFile {
            if file.isNamed {
                report.failures.append(skip.description)
            } else {
                report.skipped.append(skip.description)
            }
            // Code without any call frame information is below a minimum coverage, too.
            if skip.reason == .noCallFrameInformation, !file.isNamed, minimumCoverage != nil, Self.hasCode(file.path) {
                report.failures.append("\(file.path): coverage 0 %: \(skip.reason)")
            }
        } catch {
            report.failures.append("\(error)")
        }
    }

    private func addTable(_ buildID: String, to report: inout Report) {
        do {
            let table = try LoadedTable(buildID: buildID, store: cache.store())
            report.files.append(FileStatistics(table, path: table.path ?? buildID, demangling, nil))
        } catch {
            report.failures.append("\(error)")
        }
    }

    private func judge(_ report: Report) throws {
        if report.isEmpty { throw noneFound("ELF file or table", below: paths) }
        var hasFailed = !report.failures.isEmpty
        if let minimumCoverage {
            if report.files.allSatisfy({ $0.coverage == nil }), report.failures.isEmpty {
                Diagnostics.error("there is no code whose coverage could be measured")
                hasFailed = true
            }
            for file in report.files {
                guard let coverage = file.coverage, coverage * 100 < minimumCoverage else { continue }
                Diagnostics.error("\(file.path): coverage \(Quantity.percent(coverage)) is below \(minimumCoverage) %")
                hasFailed = true
            }
        }
        if hasFailed { throw ExitCode(1) }
    }
}
