import CUnwindTable
import ELF
import TableBuilder
import TableCompiler
import UnwindTable

/// The sizes of the tables of one machine in whole directories.
struct SizeMeasurement {
    /// Sizes of the parts of all tables, in bytes.
    struct Parts {
        /// Includes the spare bytes at the end.
        var header = 0
        var ranges = 0
        var expressions = 0
        var templates = 0
        var directory = 0
        var rules = 0
        var longRules = 0
        var pages = 0

        var named: [(name: String, bytes: Int)] {
            [
                ("header", header), ("ranges", ranges), ("expressions", expressions), ("templates", templates),
                ("directory", directory), ("rules", rules), ("long rules", longRules), ("pages", pages),
            ]
        }
    }

    let roots: [String]
    let machine: TableMachine
    private(set) var tables = 0
    private(set) var bytes = 0
    private(set) var rows: UInt64 = 0
    private(set) var rawRows: UInt64 = 0
    private(set) var parts = Parts()
    /// The same of tables with fewer than 500 rows.
    private(set) var small = (tables: 0, bytes: 0, rows: 0 as UInt64)
    /// Bytes per row of each table that has rows.
    private(set) var bytesPerRowByFile: [Double] = []
    /// Numbers of files that get no table, by `SkipReason`.
    private(set) var skipped: [String: Int] = [:]
    private(set) var duplicates = 0
    private(set) var failures: [String] = []

    /// Compiles all ELF files of a machine in `roots`, each key once.
    init(of roots: [String], machine: TableMachine) {
        self.roots = roots
        self.machine = machine
        let compiler = ImageCompiler()
        var keys: Set<TableSource.Key> = []
        for path in FileWalk(roots).elfFiles.map(\.path) {
            do {
                let image = try ELFImage(path: path)
                guard image.machine.rawValue == machine.rawValue else { continue }
                let key = try image.tableKey()
                guard keys.insert(key).inserted else {
                    duplicates += 1
                    continue
                }
                try add(compiler.compile(image, key: key).built)
            } catch CompileError.skipped(let reason) {
                skipped[reason.name, default: 0] += 1
            } catch {
                failures.append("\(error)")
            }
        }
    }

    var bytesPerRow: Double? { rows == 0 ? nil : Double(bytes) / Double(rows) }

    var bytesPerRowOfSmall: Double? { small.rows == 0 ? nil : Double(small.bytes) / Double(small.rows) }

    /// The mean over files, each with the same weight.
    var meanBytesPerRow: Double? {
        tables == 0 ? nil : bytesPerRowByFile.reduce(0, +) / Double(bytesPerRowByFile.count)
    }

    private mutating func add(_ built: TableBuilder.Result) throws {
        tables += 1
        bytes += built.table.count
        rows += built.counts.rows
        rawRows += built.counts.rawRows
        if built.counts.rows < 500 {
            small = (small.tables + 1, small.bytes + built.table.count, small.rows + built.counts.rows)
        }
        if built.counts.rows > 0 {
            bytesPerRowByFile.append(Double(built.table.count) / Double(built.counts.rows))
        }
        let header = try TableVerifier.readHeader(built.table)
        func size(_ section: cfic_section_index) -> Int { header.range(of: section).count }
        parts.header += header.size + Int(CFIC_SPARE_BYTES)
        parts.ranges += size(CFIC_SECTION_RANGES)
        parts.expressions += size(CFIC_SECTION_EXPRESSIONS)
        parts.templates += size(CFIC_SECTION_TEMPLATES)
        parts.directory += size(CFIC_SECTION_DIRECTORY)
        parts.rules += size(CFIC_SECTION_RULES)
        parts.longRules += size(CFIC_SECTION_LONG_RULES)
        parts.pages += size(CFIC_SECTION_PAGES)
    }
}
