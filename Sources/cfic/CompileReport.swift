import Files
import JSONDocuments
import Symbols
import TableCompiler
import UnwindTable

/// The report of `cfic compile`, as text or JSON.
struct CompileReport: JSONDocument {
    static let schema = "compile"

    /// Nil if the only table was written elsewhere.
    var cache: String?
    var files: [FileEntry]
    var summary: Totals
    /// Failures with their causes: paths that can't be read, then files.
    var failures: [String]

    struct Totals: Encodable {
        var compiled = 0
        var current = 0
        var duplicates = 0
        var skipped = 0
        var failed = 0
        var notELF = 0
        var hardLinks = 0
        var fdes: UInt64 = 0
        var rawRows: UInt64 = 0
        var rows: UInt64 = 0
        var tableBytes: UInt64 = 0
        var elfBytes: UInt64 = 0
        var seconds: Double = 0
    }

    var hasFailed: Bool { summary.failed > 0 }

    init(_ run: TreeCompiler.Summary, store: String, duration: Duration) {
        self.init(run.reports, elfBytes: run.elfBytes, duration: duration)
        cache = store
        failures = run.walkProblems + failures
        summary.hardLinks = run.hardLinkCount
        summary.failed += run.walkProblems.count
    }

    init(_ reports: [FileReport], elfBytes: UInt64, duration: Duration) {
        files = reports.filter { if case .notELF = $0.outcome { false } else { true } }.map(FileEntry.init)
        // A problem with the cache concerns many files, but is reported once.
        var said: Set<String> = []
        failures = files.compactMap(\.failure).filter { said.insert($0).inserted }
        summary = Totals()
        summary.elfBytes = elfBytes
        summary.seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
        for report in reports { count(report.outcome) }
    }

    private mutating func count(_ outcome: FileOutcome) {
        switch outcome {
        case .compiled: summary.compiled += 1
        case .current: summary.current += 1
        case .duplicate: summary.duplicates += 1
        case .skipped: summary.skipped += 1
        case .notELF: summary.notELF += 1
        case .failed, .flawed: summary.failed += 1
        }
        if case .duplicate = outcome { return }
        guard let facts = outcome.facts else { return }
        summary.fdes += UInt64(facts.counts.fdes)
        summary.rawRows += facts.counts.rawRows
        summary.rows += facts.counts.rows
        summary.tableBytes += UInt64(facts.size)
    }

    // MARK: Text

    func write() {
        var table = TextTable(
            ["BUILD ID", "", "FDES", "ROWS", "TABLE", "COVERAGE", "FILE"], left: [0, 1, 6])
        var hasTables = false
        for file in files where file.fdes != nil && file.status != "failed" {
            table.add(file.cells)
            hasTables = true
        }
        var output = StandardOutput()
        if hasTables { output.write(table) }
        output.flush()
        for file in files {
            for note in file.notes {
                Diagnostics.note(note.hasPrefix(file.path) ? note : "\(file.path): \(note)", .dim)
            }
            if let message = file.message, file.status == "skipped" {
                Diagnostics.note("\(file.path): skipped: \(message)", .dim)
            }
        }
        for failure in failures { Diagnostics.error(failure) }
        for line in summaryLines { Diagnostics.note(line) }
    }

    private var summaryLines: [String] {
        var parts = ["\(Quantity.count(summary.compiled)) compiled", "\(Quantity.count(summary.current)) current"]
        if summary.duplicates > 0 { parts.append(Quantity.count(summary.duplicates, "duplicate")) }
        if summary.hardLinks > 0 { parts.append(Quantity.count(summary.hardLinks, "hard link")) }
        if summary.skipped > 0 { parts.append("\(Quantity.count(summary.skipped)) skipped") }
        if summary.notELF > 0 { parts.append("\(Quantity.count(summary.notELF)) not ELF") }
        parts.append("\(Quantity.count(summary.failed)) failed")
        let files = parts.joined(separator: ", ") + " in \(Quantity.fixed(summary.seconds, 2)) s"
        if summary.rows == 0 { return [files] }
        let perRow = Double(summary.tableBytes) / Double(summary.rows)
        return [
            files,
            "\(Quantity.count(summary.rows)) rows in \(Quantity.bytes(summary.tableBytes)) of tables "
                + "(\(Quantity.fixed(perRow, 2)) bytes per row)" + (cache.map { ", in \($0)" } ?? ""),
        ]
    }

    /// The defects of a table, as text.
    static func flaws(_ facts: TableFacts) -> String {
        "\(Quantity.count(facts.counts.badFDEs)) malformed FDEs, "
            + "\(Quantity.count(facts.unsupportedBytes)) bytes whose rules could not be lowered (see cfic stats)"
    }
}

/// One file of a report.
struct FileEntry: Encodable {
    var path: String
    /// `compiled`, `current`, `duplicate`, `skipped` or `failed`.
    var status: String
    /// Why it was skipped, or why it failed.
    var message: String?
    var duplicateOf: String?
    var key: String?
    /// The digest of a key that is a build id.
    var digest: String?
    /// `build-id` or `content`.
    var keyKind: String?
    var fdes: UInt32?
    var badFDEs: UInt32?
    var rawRows: UInt64?
    var rows: UInt64?
    var tableBytes: Int?
    var executableBytes: UInt64?
    var coveredBytes: UInt64?
    var loweredBytes: UInt64?
    var absorbedBytes: UInt64?
    var coverage: Double?
    var notes: [String]

    init(_ report: FileReport) {
        path = report.path
        notes = report.notes
        switch report.outcome {
        case .compiled: status = "compiled"
        case .current: status = "current"
        case .duplicate(let first, _):
            status = "duplicate"
            duplicateOf = first
        case .skipped(let why):
            status = "skipped"
            message = why.description
        case .notELF:
            status = "skipped"
            message = "not an ELF file"
        case .flawed(let facts):
            status = "failed"
            message = "\(report.path): \(CompileReport.flaws(facts))"
        case .failed(let why):
            status = "failed"
            message = why
        }
        if let facts = report.outcome.facts { take(facts) }
    }

    /// The message for a failure, with the path.
    var failure: String? { status == "failed" ? message ?? path : nil }

    private mutating func take(_ facts: TableFacts) {
        key = Hex.text(facts.key.bytes)
        digest = facts.key.digest.isEmpty ? nil : Hex.text(facts.key.digest)
        if case .content = facts.key { keyKind = "content" } else { keyKind = "build-id" }
        fdes = facts.counts.fdes
        badFDEs = facts.counts.badFDEs
        rawRows = facts.counts.rawRows
        rows = facts.counts.rows
        tableBytes = facts.size
        executableBytes = facts.counts.executableBytes
        coveredBytes = facts.counts.coveredBytes
        loweredBytes = facts.counts.loweredBytes
        absorbedBytes = facts.counts.absorbedBytes
        coverage = facts.coverage
    }

    /// The line in the text report. Shows the first 16 digits of a key, which `cfic lookup` accepts.
    var cells: [String] {
        let shownKey = String((key ?? "").prefix(16)) + (keyKind == "content" ? " (content)" : "")
        return [
            shownKey, status, Quantity.count(fdes ?? 0), Quantity.count(rows ?? 0),
            Quantity.bytes(UInt64(tableBytes ?? 0)), coverage.map(Quantity.percent) ?? "-",
            duplicateOf.map { "\(path) (same build id as \($0))" } ?? path,
        ]
    }
}
