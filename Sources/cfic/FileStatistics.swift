import CallFrameInfo
import ELF
import Symbols
import TableCompiler
import UnwindTable

/// How much of a file's code can be unwound, and by which kinds of rules.
struct FileStatistics: Encodable {
    struct Share: Encodable {
        var kind: String
        var text: String
        var bytes: UInt64
        var rows: UInt64
    }

    struct SourceShare: Encodable {
        /// `.eh_frame`, `.debug_frame`, `.gopclntab` or `inferred`
        var source: String
        var bytes: UInt64
    }

    /// Code that has rows but no rule.
    struct Unsupported: Encodable {
        @HexAddress var start: UInt64
        @HexAddress var limit: UInt64
        var reason: String
        var text: String
        var function: String?
        /// The symbol that `function` was demangled from.
        var mangledName: String?
    }

    var path: String
    var machine: String
    var fdes: UInt64 = 0
    var badFDEs: UInt64 = 0
    var overlappingFDEs: UInt64 = 0
    var rows: UInt64 = 0
    var rawRows: UInt64 = 0
    var executableBytes: UInt64 = 0
    var coveredBytes: UInt64 = 0
    var loweredBytes: UInt64 = 0
    var absorbedBytes: UInt64 = 0
    /// Executable bytes without an FDE, not counting padding with an extended rule.
    var uncoveredBytes: UInt64 = 0
    var tableBytes: Int?
    /// The share of executable bytes with a rule or an end of stack, 0...1.
    var coverage: Double?
    var shares: [Share] = []
    /// Bytes with a rule, or an end of stack, by what these come from.
    var sources: [SourceShare] = []
    var unsupported: [Unsupported] = []
    var notes: [String] = []

    /// The statistics of a table, newly compiled or read.
    init(_ table: LoadedTable, path: String, _ demangling: DemangleOption, _ debugFiles: DebugFileSearch?) {
        let symbols = table.image.map { demangling.names(of: $0, debugFiles) }
        self = table.withView { FileStatistics($0, path: path, symbols) }
        notes = table.notes
        let functions = demangling.functions(unsupported.map(\.function))
        for (index, function) in functions.enumerated() {
            (unsupported[index].function, unsupported[index].mangledName) = (function?.name, function?.mangledName)
        }
    }

    private init(_ table: TableView, path: String, _ symbols: ImageNames?) {
        let machine = table.machine
        let counts = table.header.counts
        self.path = path
        self.machine = machine.name
        fdes = UInt64(counts.fdes)
        badFDEs = UInt64(counts.badFDEs)
        overlappingFDEs = UInt64(counts.overlappingFDEs)
        rows = counts.rows
        rawRows = counts.rawRows
        executableBytes = counts.executableBytes
        coveredBytes = counts.coveredBytes
        loweredBytes = counts.loweredBytes
        absorbedBytes = counts.absorbedBytes
        tableBytes = table.bytes.count
        coverage = counts.coverage
        uncoveredBytes = executableBytes - min(executableBytes, coveredBytes + absorbedBytes)
        var counter = ShareCounter()
        var bySource = SourceCounter(table)
        table.forEachRow { range, number in
            let kind = RuleClass(table.rules[number], machine: machine)
            if kind == .noInformation { return }
            counter.add(kind, UInt64(range.count))
            bySource.add(range, hasRule: table.rules[number].reason == nil)
            if case .unsupported(let reason) = kind { add(reason, range, symbols) }
        }
        shares = counter.shares
        sources = bySource.shares
    }

    /// Consecutive rows with the same reason in the same function form one entry.
    mutating func add(_ reason: Reason, _ range: Range<UInt64>, _ symbols: ImageNames?) {
        let function = symbols?.lookup(range.lowerBound)?.name
        if let last = unsupported.last, last.limit == range.lowerBound, last.reason == reason.name,
            last.function == function
        {
            unsupported[unsupported.count - 1].limit = range.upperBound
            return
        }
        unsupported.append(
            Unsupported(
                start: range.lowerBound, limit: range.upperBound, reason: reason.name, text: reason.text,
                function: function))
    }
}

/// Sums bytes with rules by what these come from.
private struct SourceCounter {
    private let runs: [(addresses: Range<UInt64>, source: RuleSource)]
    /// The first run that ends above the last row's start.
    private var next = 0
    private var bytes = [UInt64](repeating: 0, count: RuleSource.allCases.count)

    init(_ table: TableView) { runs = Array(table.sourceRanges) }

    /// Adds a row. Rows come in ascending order.
    mutating func add(_ row: Range<UInt64>, hasRule: Bool) {
        while next < runs.count, runs[next].addresses.upperBound <= row.lowerBound { next += 1 }
        guard hasRule else { return }
        var rest = UInt64(row.count)
        var run = next
        while run < runs.count, runs[run].addresses.lowerBound < row.upperBound {
            let common = UInt64(runs[run].addresses.clamped(to: row).count)
            bytes[Int(runs[run].source.rawValue)] += common
            rest -= common
            run += 1
        }
        bytes[Int(RuleSource.ehFrame.rawValue)] += rest
    }

    var shares: [FileStatistics.SourceShare] {
        RuleSource.allCases.map { FileStatistics.SourceShare(source: $0.name, bytes: bytes[Int($0.rawValue)]) }
            .filter { $0.bytes > 0 }
    }
}

/// Sums bytes and rows by kind of rule.
struct ShareCounter {
    private var bytes: [RuleClass: UInt64] = [:]
    private var rows: [RuleClass: UInt64] = [:]

    mutating func add(_ kind: RuleClass, _ count: UInt64) {
        bytes[kind, default: 0] &+= count
        rows[kind, default: 0] += 1
    }

    var shares: [FileStatistics.Share] {
        bytes.keys.sorted().map {
            FileStatistics.Share(kind: $0.name, text: $0.text, bytes: bytes[$0] ?? 0, rows: rows[$0] ?? 0)
        }
    }
}
