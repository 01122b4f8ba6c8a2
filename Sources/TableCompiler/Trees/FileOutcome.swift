import CUnwindTable
import ELF
import UnwindTable

/// What is told of a table: its key, its size, and what its header counts.
public struct TableFacts: Sendable {
    public var key: TableSource.Key
    public var machine: TableMachine?
    /// Bytes of the table.
    public var size: Int
    public var counts: cfic_counts
    public var debugSource: TableSource.DebugSource

    public init(_ header: cfic_table_header, key: TableSource.Key, size: Int) {
        self.key = key
        self.size = size
        machine = TableMachine(rawValue: header.machine)
        counts = header.counts
        debugSource = TableSource.DebugSource(rawValue: header.debug_source) ?? .none
    }

    public init(_ result: ImageCompiler.Result) {
        key = result.source.key
        machine = result.source.machine
        size = result.built.table.count
        counts = result.built.counts
        debugSource = result.source.debugSource
    }

    /// Share of the executable bytes that a rule, or an end of stack, covers: 0...1; nil without such bytes.
    public var coverage: Double? { counts.coverage }

    /// Bytes that an FDE covers but no rule does.
    public var unsupportedBytes: UInt64 { counts.covered_bytes - min(counts.lowered_bytes, counts.covered_bytes) }

    /// Whether every FDE was read and lowered in whole.
    public var isFlawless: Bool { counts.bad_fdes == 0 && unsupportedBytes == 0 }
}

extension cfic_counts {
    /// Share of the executable bytes with a rule or an end of stack, absorbed padding among them: 0...1; nil
    /// without executable bytes.
    public var coverage: Double? {
        executable_bytes == 0
            ? nil : min(1, (Double(lowered_bytes) + Double(absorbed_bytes)) / Double(executable_bytes))
    }
}

/// What became of one file.
public enum FileOutcome: Sendable {
    case compiled(TableFacts)
    /// The store had a current table.
    case current(TableFacts)
    /// Another file, which comes before, has the same key.
    case duplicate(of: String, TableFacts)
    case skipped(SkipReason)
    case notELF
    /// Compiled, but not flawless, which `isStrict` makes a failure.
    case flawed(TableFacts)
    case failed(String)

    public var isFailure: Bool {
        switch self {
        case .failed, .flawed: true
        default: false
        }
    }

    public var facts: TableFacts? {
        switch self {
        case .compiled(let facts), .current(let facts), .duplicate(_, let facts), .flawed(let facts): facts
        default: nil
        }
    }
}

/// One file of a run, and what is to be said of it.
public struct FileReport: Sendable {
    public var path: String
    public var outcome: FileOutcome
    /// Malformed entries with section and offset, debug files that don't fit, damaged tables that were replaced.
    public var notes: [String]

    public init(path: String, outcome: FileOutcome, notes: [String] = []) {
        self.path = path
        self.outcome = outcome
        self.notes = notes
    }
}
