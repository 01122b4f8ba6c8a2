import Files
import Symbols
import UnwindTable

/// The statistics as text.
struct StatsText {
    private let report: StatsCommand.Report
    /// The number of functions listed for each file; the others are only counted.
    private static let listed = 20

    init(_ report: StatsCommand.Report) { self.report = report }

    func write() {
        var output = StandardOutput()
        for (number, file) in report.files.enumerated() {
            if number > 0 { output.line() }
            write(file, to: &output)
        }
        if report.files.count > 1 { writeTotal(to: &output) }
        output.flush()
        for skip in report.skipped { Diagnostics.note(skip, .dim) }
        for failure in report.failures { Diagnostics.error(failure) }
    }

    private func write(_ file: FileStatistics, to output: inout StandardOutput) {
        output.line("\(file.path) (\(file.machine))")
        var line = "  \(Quantity.count(file.fdes)) FDEs, \(Quantity.count(file.rows)) rows"
        if let size = file.tableBytes { line += ", table of \(Quantity.bytes(UInt64(size)))" }
        if let coverage = file.coverage {
            line +=
                ", coverage \(Quantity.percent(coverage)) of \(Quantity.count(file.executableBytes)) executable bytes"
        }
        output.line(line)
        if file.badFDEs > 0 { output.line("  malformed FDEs: \(Quantity.count(file.badFDEs))") }
        if file.overlappingFDEs > 0 {
            output.line("  FDEs that overlap an earlier one: \(Quantity.count(file.overlappingFDEs))")
        }
        var table = TextTable(["", "BYTES", "", "ROWS"], left: [0])
        for share in file.shares {
            table.add([
                "    \(share.text)", Quantity.count(share.bytes), ratio(share.bytes, file.executableBytes),
                Quantity.count(share.rows),
            ])
        }
        if file.absorbedBytes > 0 {
            table.add([
                "    of which padding between functions", Quantity.count(file.absorbedBytes),
                ratio(file.absorbedBytes, file.executableBytes), "",
            ])
        }
        table.add([
            "    neither CFI nor inferred", Quantity.count(file.uncoveredBytes),
            ratio(file.uncoveredBytes, file.executableBytes),
            "",
        ])
        for share in file.sources where share.source != RuleSource.ehFrame.name {
            table.add([
                "    of which \(Self.text(share.source))", Quantity.count(share.bytes),
                ratio(share.bytes, file.executableBytes), "",
            ])
        }
        output.write(table)
        for entry in file.unsupported.prefix(Self.listed) {
            let range = "\(entry.start.hex)..\(entry.limit.hex)"
            output.line("  unsupported: \(entry.function ?? "(no symbol)") \(range): \(entry.text)")
        }
        if file.unsupported.count > Self.listed {
            output.line("  ... and \(Quantity.count(file.unsupported.count - Self.listed)) more (--json lists all)")
        }
        for note in file.notes.prefix(Self.listed) { output.line("  \(note)") }
    }

    private static func text(_ source: String) -> String {
        source == RuleSource.inferred.name ? "inferred from instructions" : "from \(source)"
    }

    private func writeTotal(to output: inout StandardOutput) {
        let executable = report.files.reduce(UInt64(0)) { $0 &+ $1.executableBytes }
        let lowered = report.files.reduce(UInt64(0)) { $0 &+ $1.loweredBytes &+ $1.absorbedBytes }
        let rows = report.files.reduce(UInt64(0)) { $0 &+ $1.rows }
        let unsupported = report.files.reduce(0) { $0 + $1.unsupported.count }
        output.line()
        output.line(
            "\(Quantity.count(report.files.count)) files, \(Quantity.count(rows)) rows, coverage "
                + "\(ratio(lowered, executable)) of \(Quantity.count(executable)) executable bytes, "
                + "\(Quantity.count(unsupported)) ranges that an FDE covers but that have no rule")
    }

    private func ratio(_ part: UInt64, _ whole: UInt64) -> String {
        whole == 0 ? "-" : Quantity.percent(Double(part) / Double(whole))
    }
}
