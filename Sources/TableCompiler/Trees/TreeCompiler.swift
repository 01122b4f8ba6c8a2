import ELF
import Synchronization
import TableStore
import Threads
import UnwindTable

/// Compiles files and directory trees into a store.
///
/// Several threads process the files, the largest ones first. Reports are in the order of the walk and don't depend on
/// the number of threads.
public struct TreeCompiler: Sendable {
    /// Where tables go.
    public var store: TableStore
    /// What tables are to contain.
    public var options = TableOptions()
    /// Where to look for separate debug files; nil for nowhere.
    public var debugFiles: DebugFileSearch? = DebugFileSearch()
    /// At least 1.
    public var threads = 1
    /// Whether to compile files that have a current table, too.
    public var isForced = false
    /// Whether a table that isn't flawless is a failure.
    public var isStrict = false

    /// Compiles into a store, with one thread.
    public init(store: TableStore) { self.store = store }

    /// The results of a run.
    public struct Summary: Sendable {
        /// One for each file, in the order of the walk.
        public var reports: [FileReport]
        /// Directories and files that could not be read, a line each.
        public var walkProblems: [String]
        /// Files that are another name of one before.
        public var hardLinkCount: Int
        /// Size of all files that were opened as ELF files, in bytes.
        public var elfBytes: UInt64
    }

    /// Compiles all files of a walk.
    ///
    /// - Parameters:
    ///   - walk: the files.
    ///   - progress: called after each file, from any thread, with the bytes processed and the total.
    public func run(_ walk: FileWalk, progress: @escaping @Sendable (UInt64, UInt64) -> Void = { _, _ in }) -> Summary {
        let files = walk.files
        let shared = SharedRun(count: files.count, store)
        let threadsEach = max(1, threads / max(1, files.count))
        files.perform(
            threads: threads,
            with: {
                let compiler = ImageCompiler(options: options, debugFiles: debugFiles, threads: threadsEach)
                return FileWorker(tree: self, compiler: compiler, shared: shared)
            }, progress: progress
        ) { index, worker in shared.keep(worker.process(files[index]), at: index) }
        shared.flush(store)
        return shared.summary(of: walk)
    }
}

/// The part of a file's report that doesn't depend on other files.
struct FileResult: Sendable {
    enum State: Sendable {
        case outcome(FileOutcome)
        /// The file has the table with this key, which may have been made from another file.
        case keyed(TableSource.Key)
    }

    var state: State
    /// Why parts of the file, or debug files, were skipped. Empty if the call frame sections weren't read.
    var notes: [String] = []
    /// The names of the call frame sections; nil if these weren't read.
    var sectionNames: [String]?
    var elfBytes: UInt64 = 0
}

/// State shared by the threads of a run.
final class SharedRun: Sendable {
    private struct State {
        var results: [FileResult?]
        var started: Set<TableSource.Key> = []
        var finished: [TableSource.Key: SharedTable] = [:]
        var storeProblem: String?
    }

    private let state: Mutex<State>

    let batch: TableBatch

    init(count: Int, _ store: TableStore) {
        state = Mutex(State(results: Array(repeating: nil, count: count)))
        batch = TableBatch(store)
    }

    /// Writes all tables to the store. A table that can't be written becomes a failure.
    func flush(_ store: TableStore) {
        for (key, failure) in batch.flush() {
            let problem = explain(failure, store)
            state.withLock {
                guard let path = $0.finished[key]?.path else { return }
                $0.finished[key]?.outcome = .failed(problem ?? "\(path): \(failure)")
            }
        }
    }

    /// Whether the caller is the first with this key, and must therefore make the table.
    func claim(_ key: TableSource.Key) -> Bool { state.withLock { $0.started.insert(key).inserted } }

    func finish(_ key: TableSource.Key, _ table: SharedTable) { state.withLock { $0.finished[key] = table } }

    /// Why the store can't be written at all; nil as long as no such error occurred.
    var storeProblem: String? { state.withLock { $0.storeProblem } }

    /// After a failed insertion: why the store can't be written at all, as `storeProblem` returns from now on; nil if
    /// it can be.
    func explain(_ failure: StoreError, _ store: TableStore) -> String? {
        let problem: StoreError
        do throws(StoreError) {
            try store.checkIsWritable()
            return nil
        } catch {
            problem = error
        }
        state.withLock { $0.storeProblem = "\(problem)" }
        return "\(problem)"
    }

    func keep(_ result: FileResult, at index: Int) { state.withLock { $0.results[index] = result } }

    func summary(of walk: FileWalk) -> TreeCompiler.Summary {
        state.withLock { state in
            var firstPaths: [TableSource.Key: String] = [:]
            var reports: [FileReport] = []
            var elfBytes: UInt64 = 0
            for (file, result) in zip(walk.files, state.results) {
                guard let result else { continue }
                elfBytes += result.elfBytes
                reports.append(Self.report(result, file, state.finished, &firstPaths))
            }
            return TreeCompiler.Summary(
                reports: reports, walkProblems: walk.problems.map { "\($0.path): \($0.problem)" },
                hardLinkCount: walk.hardLinkCount, elfBytes: elfBytes)
        }
    }

    /// Among files with the same key, whose tables are equal, the first of the walk is reported as having the table and
    /// the others as its duplicates, regardless of which one a thread processed first.
    private static func report(
        _ result: FileResult, _ file: FoundFile, _ finished: [TableSource.Key: SharedTable],
        _ firstPaths: inout [TableSource.Key: String]
    ) -> FileReport {
        let key: TableSource.Key
        switch result.state {
        case .outcome(let outcome): return FileReport(path: file.path, outcome: outcome, notes: result.notes)
        case .keyed(let itsKey): key = itsKey
        }
        guard let table = finished[key]?.renamed(to: file.path) else {
            return FileReport(path: file.path, outcome: .failed("\(file.path): not finished"))
        }
        guard let facts = table.outcome.facts else {
            return FileReport(path: file.path, outcome: table.outcome, notes: table.notes)
        }
        let notes = table.isNew ? result.notes : []
        if let first = firstPaths[key] {
            return FileReport(path: file.path, outcome: .duplicate(of: first, facts), notes: notes)
        }
        firstPaths[key] = file.path
        let names = result.sectionNames ?? table.sectionNames
        return FileReport(
            path: file.path, outcome: table.outcome, notes: notes + table.notes + table.faults.map { $0.note(names) })
    }
}

/// The outcome for a table that several files may share.
struct SharedTable: Sendable {
    /// The file that it was made from.
    var path: String
    var outcome = FileOutcome.notELF
    /// Whether it was made in this run.
    var isNew = false
    /// Notes about the table in the store.
    var notes: [String] = []
    /// Errors found when it was made, which all files that share it have.
    var faults: [ImageCompiler.Result.Fault] = []
    /// The names of that file's call frame sections.
    var sectionNames: [String] = []

    /// The same outcome, with another file's path in its texts.
    func renamed(to other: String) -> SharedTable {
        func renamed(_ text: String) -> String {
            text.hasPrefix(path + ":") ? other + text.dropFirst(path.count) : text
        }
        var copy = self
        copy.path = other
        copy.sectionNames = sectionNames.map(renamed)
        if case .failed(let why) = outcome { copy.outcome = .failed(renamed(why)) }
        return copy
    }
}
