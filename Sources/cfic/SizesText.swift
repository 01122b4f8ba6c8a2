import Symbols

/// The sizes as text: the files, then each format's sum.
struct SizesText {
    private let report: SizesReport
    /// The number of files listed that were found in directories; the others are only summed up.
    private static let listed = 10

    init(_ report: SizesReport) { self.report = report }

    func write() {
        var output = StandardOutput()
        if !report.files.isEmpty {
            writeFiles(to: &output)
            output.line()
            writeTotal(to: &output)
        }
        output.flush()
        for file in report.files {
            for note in file.notes {
                Diagnostics.note(note.hasPrefix(file.path) ? note : "\(file.path): \(note)", .dim)
            }
        }
        for skip in report.skipped { Diagnostics.note(skip, .dim) }
        for failure in report.failures { Diagnostics.error(failure) }
    }

    // MARK: Files

    /// Those that the user named, and the largest in directories; the largest first, equal ones in the walk's order.
    private var listedFiles: [SizedFile] {
        let order = report.files.indices.sorted {
            let (left, right) = (report.files[$0].sizes.storedBytes, report.files[$1].sizes.storedBytes)
            return left == right ? $0 < $1 : left > right
        }
        var room = Self.listed
        return order.map { report.files[$0] }.filter { file in
            if file.isNamed { return true }
            room -= 1
            return room >= 0
        }
    }

    private struct Column {
        var name: String
        var size: (FormatSizes) -> FormatSize?
    }

    private var columns: [Column] {
        let total = report.total.sizes
        var columns = [
            Column(name: ".eh_frame") { $0.ehFrame }, Column(name: ".eh_frame_hdr") { $0.ehFrameHeader },
        ]
        // A column for what no file has would tell nothing.
        if total.debugFrame.bytes > 0 { columns.append(Column(name: ".debug_frame") { $0.debugFrame }) }
        if total.sframe != nil { columns.append(Column(name: ".sframe") { $0.sframe }) }
        columns.append(Column(name: "SFRAME V2") { $0.sframeV2 })
        columns.append(Column(name: "SFRAME V3") { $0.sframeV3 })
        columns.append(Column(name: "TABLE") { $0.table })
        return columns
    }

    private func writeFiles(to output: inout StandardOutput) {
        let columns = self.columns
        var table = TextTable(
            ["FUNCTIONS", "ROWS"] + columns.map(\.name) + ["FILE"], left: [columns.count + 2])
        let listed = listedFiles
        for file in listed {
            let counts = [Quantity.count(file.sizes.functions), Quantity.count(file.sizes.rows)]
            let sizes = columns.map { $0.size(file.sizes).map { Quantity.bytes($0.bytes) } ?? "-" }
            table.add(counts + sizes + [file.path])
        }
        output.write(table)
        if listed.count < report.files.count {
            output.line("... and \(Quantity.count(report.files.count - listed.count)) more (--json lists all)")
        }
    }

    // MARK: The sum

    private func writeTotal(to output: inout StandardOutput) {
        let total = report.total.sizes
        output.line(
            "\(Quantity.count(report.total.files, "file")), \(Quantity.count(total.functions, "function")), "
                + "\(Quantity.count(total.rows, "row"))")
        var table = TextTable(["", "BYTES", "A FUNCTION", "A ROW", "FUNCTIONS IT CAN'T DESCRIBE"], left: [0])
        func add(_ name: String, _ size: FormatSize) {
            table.add([
                name, Quantity.count(size.bytes), ratio(size.bytes, total.functions), ratio(size.bytes, total.rows),
                size.unsupportedFunctions.map { Quantity.count($0) } ?? "",
            ])
        }
        add(".eh_frame", total.ehFrame)
        add(".eh_frame_hdr", total.ehFrameHeader)
        if total.debugFrame.bytes > 0 { add(".debug_frame", total.debugFrame) }
        if let packed = total.debugFrame.packedBytes { add(".debug_frame, compressed", FormatSize(bytes: packed)) }
        if let sframe = total.sframe { add(".sframe", sframe) }
        add("SFrame V2, computed", total.sframeV2)
        add("SFrame V3, computed", total.sframeV3)
        add("table", total.table)
        output.write(table)
    }

    private func ratio(_ part: UInt64, _ whole: UInt64) -> String {
        whole == 0 ? "" : Quantity.fixed(Double(part) / Double(whole), 2)
    }
}
