import JSONDocuments
import CallFrameInfo
import Files
import Symbols
import UnwindTable

/// A table's header and pages, with their sizes.
struct PageDump: JSONDocument {
    static let schema = "dump --stage pages"

    struct Page: Encodable {
        @HexAddress var address: UInt64
        var kind: String
        var rows: Int
        /// Absent where the page lists no items.
        var items: Int?
        /// How many of the items are templates.
        var templates: Int?
        var palette: Int
        var bytes: Int
    }

    struct Template: Encodable {
        struct Row: Encodable {
            /// Distance from the first row, in bytes.
            var offset: Int
            /// A rule's number.
            var rule: Int
        }

        var symbol: Int
        var rows: [Row]
    }

    var key: String
    /// The digest of a key that is a build id.
    var digest: String?
    var tableBytes: Int
    var rules: Int
    /// How many of the rules are long.
    var longRules: Int
    var operations: Int
    var rows: UInt64
    var templates: [Template]
    var pages: [Page] = []

    init(_ table: TableView, pc: UInt64?) {
        key = Hex.text(table.key.bytes)
        digest = table.key.digest.isEmpty ? nil : Hex.text(table.key.digest)
        tableBytes = table.bytes.count
        rules = table.rules.count
        longRules = table.rules.long.count
        operations = table.operations.count
        rows = table.header.counts.rows
        templates = table.templateRows.enumerated().map { number, rows in
            Template(
                symbol: table.firstTemplate + number, rows: rows.map { Template.Row(offset: $0.offset, rule: $0.rule) })
        }
        let size = UInt64(1) << table.pageShift
        table.forEachPage { page in
            if let pc, pc < page.address || pc - page.address >= size { return }
            let hasItems = page.itemCount > 0
            pages.append(
                Page(
                    address: page.address, kind: Self.name(page.kind), rows: page.rowCount,
                    items: hasItems ? page.itemCount : nil, templates: hasItems ? page.templateCount : nil,
                    palette: page.paletteCount, bytes: page.recordBytes))
        }
    }

    private static func name(_ kind: TableView.PageKind) -> String {
        switch kind {
        case .sparse: "sparse"
        case .dense: "dense"
        case .quarters: "quarters"
        default: "uniform"
        }
    }

    func write(json: Bool) throws {
        if json { return try JSONText.print(self) }
        var output = StandardOutput()
        output.line(
            "key \(key), \(Quantity.bytes(UInt64(tableBytes))), \(Quantity.count(rows)) rows, "
                + "\(Quantity.count(rules)) rules (\(Quantity.count(longRules)) long), "
                + "\(Quantity.count(templates.count)) templates, \(Quantity.count(operations)) program operations")
        output.write(pageTable)
        if !templates.isEmpty { output.write(templateTable) }
        output.flush()
    }

    private var pageTable: TextTable {
        var table = TextTable(["PAGE", "KIND", "ROWS", "ITEMS", "TEMPLATES", "PALETTE", "BYTES"], left: [1])
        for page in pages {
            table.add([
                page.address.hex, page.kind, Quantity.count(page.rows), page.items.map { Quantity.count($0) } ?? "",
                page.templates.map { Quantity.count($0) } ?? "", Quantity.count(page.palette),
                Quantity.count(page.bytes),
            ])
        }
        return table
    }

    /// The rows of each template, by its symbol.
    private var templateTable: TextTable {
        var table = TextTable(["TEMPLATE", "ROWS"], left: [1])
        for template in templates {
            let rows = template.rows.map { "+\($0.offset) rule \($0.rule)" }
            table.add([String(template.symbol), rows.joined(separator: ", ")])
        }
        return table
    }
}
