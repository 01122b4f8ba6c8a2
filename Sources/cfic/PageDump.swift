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
        var palette: Int
        var bytes: Int
    }

    var key: String
    /// The digest of a key that is a build id.
    var digest: String?
    var tableBytes: Int
    var rules: Int
    var operations: Int
    var rows: UInt64
    var pages: [Page] = []

    init(_ table: TableView, pc: UInt64?) {
        key = Hex.text(table.key.bytes)
        digest = table.key.digest.isEmpty ? nil : Hex.text(table.key.digest)
        tableBytes = table.bytes.count
        rules = table.rules.count
        operations = table.operations.count
        rows = table.header.counts.rows
        let size = UInt64(1) << table.pageShift
        table.forEachPage { page in
            if let pc, pc < page.address || pc - page.address >= size { return }
            pages.append(
                Page(
                    address: page.address, kind: Self.name(page.kind), rows: page.rowCount, palette: page.paletteCount,
                    bytes: page.recordBytes))
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
                + "\(Quantity.count(rules)) rules, \(Quantity.count(operations)) program operations")
        var table = TextTable(["PAGE", "KIND", "ROWS", "PALETTE", "BYTES"], left: [1])
        for page in pages {
            table.add([
                page.address.hex, page.kind, Quantity.count(page.rows), Quantity.count(page.palette),
                Quantity.count(page.bytes),
            ])
        }
        output.write(table)
        output.flush()
    }
}
