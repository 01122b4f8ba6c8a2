import ELF
import UnwindTable

/// The facts that are reported about a table: its key, its size, and the counts in its header.
public struct TableFacts: Sendable {
    /// What the table is stored under.
    public var key: TableSource.Key
    /// The machine whose code the table describes.
    public var machine: TableMachine
    /// Size of the table in bytes.
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
        size = result.table.count
        counts = result.counts
        debugSource = result.source.debugSource
    }

    /// The fraction of the executable bytes, 0 to 1, that have a rule or are an end of stack; nil if there are none.
    public var coverage: Double? { counts.coverage }

    /// The number of bytes that FDEs cover but that have no rule.
    public var unsupportedBytes: UInt64 { counts.unsupportedBytes }

    /// Whether every FDE was completely read and lowered.
    public var isFlawless: Bool { counts.badFDEs == 0 && unsupportedBytes == 0 }
}

/// The outcome for one file.
public enum FileOutcome: Sendable {
    /// Its table was compiled and stored.
    case compiled(TableFacts)
    /// The store had a current table.
    case current(TableFacts)
    /// An earlier file of the walk has the same key.
    case duplicate(of: String, TableFacts)
    /// It gets no table, for this reason.
    case skipped(SkipReason)
    /// Not an ELF file.
    case notELF
    /// The table isn't flawless, which `TreeCompiler.isStrict` makes a failure.
    case flawed(TableFacts)
    /// It could not be compiled or stored; says why.
    case failed(String)

    /// Whether this makes a run fail.
    public var isFailure: Bool {
        switch self {
        case .failed, .flawed: true
        default: false
        }
    }

    /// The facts about its table; nil if it has none.
    public var facts: TableFacts? {
        switch self {
        case .compiled(let facts), .current(let facts), .duplicate(_, let facts), .flawed(let facts): facts
        default: nil
        }
    }
}

/// The report about one file of a run.
public struct FileReport: Sendable {
    /// The path of the file.
    public var path: String
    /// What was done with it.
    public var outcome: FileOutcome
    /// Malformed entries with section and offset, rejected debug files, damaged tables that were replaced.
    public var notes: [String]

    package init(path: String, outcome: FileOutcome, notes: [String] = []) {
        self.path = path
        self.outcome = outcome
        self.notes = notes
    }
}
