import CUnwindTable
import ELF
import TableBuilder
import TableCompiler
import UnwindTable

/// The sizes of the tables of whole directories.
struct SizeMeasurement {
    /// Sizes of the parts of all tables, in bytes.
    struct Parts {
        var header = 0
        var ranges = 0
        var directory = 0
        var rules = 0
        var expressions = 0
        var pages = 0

        var named: [(name: String, bytes: Int)] {
            [
                ("header", header), ("ranges", ranges), ("directory", directory), ("rules", rules),
                ("expressions", expressions), ("pages", pages),
            ]
        }
    }

    let roots: [String]
    private(set) var tables = 0
    private(set) var bytes = 0
    private(set) var rows: UInt64 = 0
    private(set) var rawRows: UInt64 = 0
    private(set) var parts = Parts()
    /// Bytes per row of each table that has rows.
    private(set) var bytesPerRowByFile: [Double] = []
    /// Numbers of files that get no table, by `SkipReason`.
    private(set) var skipped: [String: Int] = [:]
    private(set) var duplicates = 0
    private(set) var failures: [String] = []

    /// Compiles all ELF files in `roots`, each key once.
    init(of roots: [String]) {
        self.roots = roots
        let compiler = ImageCompiler()
        var keys: Set<TableSource.Key> = []
        for path in FileWalk(roots).elfFiles.map(\.path) {
            do {
                let image = try ELFImage(path: path)
                let key = try image.tableKey()
                guard keys.insert(key).inserted else {
                    duplicates += 1
                    continue
                }
                add(try compiler.compile(image, key: key).built)
            } catch CompileError.skipped(let reason) {
                skipped[reason.name, default: 0] += 1
            } catch {
                failures.append("\(error)")
            }
        }
    }

    var bytesPerRow: Double? { rows == 0 ? nil : Double(bytes) / Double(rows) }

    /// The mean over files, each with the same weight.
    var meanBytesPerRow: Double? {
        tables == 0 ? nil : bytesPerRowByFile.reduce(0, +) / Double(bytesPerRowByFile.count)
    }

    private mutating func add(_ built: TableBuilder.Result) {
        tables += 1
        bytes += built.table.count
        rows += built.counts.rows
        rawRows += built.counts.rawRows
        if built.counts.rows > 0 {
            bytesPerRowByFile.append(Double(built.table.count) / Double(built.counts.rows))
        }
        let sections = built.table.loadUnaligned(as: cfic_table_header.self).sections
        parts.ranges += Int(sections.0.size)
        parts.directory += Int(sections.1.size)
        parts.rules += Int(sections.2.size)
        parts.expressions += Int(sections.3.size)
        parts.pages += Int(sections.4.size)
        let inSections = sections.0.size + sections.1.size + sections.2.size + sections.3.size + sections.4.size
        // Includes the padding between sections.
        parts.header += built.table.count - Int(inSections)
    }
}
