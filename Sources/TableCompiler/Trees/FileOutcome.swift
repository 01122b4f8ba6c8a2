import ELF
import UnwindTable

/// What is told of a table: its key, its size, and what its header counts.
public struct TableFacts: Sendable {
    /// What the table is stored under.
    public var key: TableSource.Key
    /// The machine whose code the table describes.
    public var machine: TableMachine
    /// Bytes of the table.
    public var size: Int
    /// What the compiler counted.
    public var counts: TableCounts
    /// Where .debug_frame came from.
    public var debugSource: TableSource.DebugSource

    package init(_ header: TableHeader, key: TableSource.Key, size: Int) {
        self.key = key
        self.size = size
        machine = header.machine
        counts = header.counts
        debugSource = header.source.debugSource
    }

    package init(_ result: ImageCompiler.Result) {
        key = result.source.key
        machine = result.source.machine
        size = result.built.table.count
        counts = result.built.counts
        debugSource = result.source.debugSource
    }

    /// Share of the executable bytes that a rule, or an end of stack, covers: 0...1; nil without such bytes.
    public var coverage: Double? { counts.coverage }

    /// Bytes that an FDE covers but no rule does.
    public var unsupportedBytes: UInt64 { counts.unsupportedBytes }

    /// Whether every FDE was read and lowered in whole.
    public var isFlawless: Bool { counts.badFDEs == 0 && unsupportedBytes == 0 }
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
