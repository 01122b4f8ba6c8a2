import ELF
import Synchronization
import TableStore
import TableSupply
import Threads
import UnwindTable

/// Supplies tables from a store, and compiles those that the store doesn't have.
///
/// Whoever asks waits for tables, so those of files with very much code without call frame information are made without
/// inference; the store's may have it.
///
/// Requests may be made on any thread. One table is compiled at a time, on several threads.
public final class CompilingSupply: TableSupply {
    public let threads: Int
    private let store: TableStore?
    private let options: TableOptions
    private let debugFiles: DebugFileSearch?
    private let lock = Mutex(())
    /// Used only while `lock` is held.
    private let maker: TableMaker
    private let counted = Mutex(SupplyAnswers())

    public var answers: SupplyAnswers? { counted.withLock(\.self) }

    /// - Parameters:
    ///   - store: where tables come from, and where compiled ones go; nil compiles all tables and stores none.
    ///   - options: the options of the tables; a stored table with other options is compiled again.
    ///   - debugFiles: finds separate debug files when a table is compiled; nil ignores them.
    ///   - threads: the number of threads that may open images, prove tables and compile a table.
    public init(
        store: TableStore?, options: TableOptions = TableOptions(), debugFiles: DebugFileSearch? = DebugFileSearch(),
        threads: Int = Threads.processorCount
    ) {
        (self.store, self.options, self.debugFiles, self.threads) = (store, options, debugFiles, threads)
        let compiler = ImageCompiler(options: options, debugFiles: debugFiles, threads: threads)
        compiler.infersOnlyQuickly = true
        maker = TableMaker(compiler, store: store)
    }

    public func request(_ image: ELFImage) -> any TableRequest {
        let search = TableSearch(
            ImageInput(image, search: debugFiles), in: store, options: options, takesTablesWithoutInference: true)
        if search.stored != nil {
            counted.withLock { $0.found += 1 }
        } else if case .failure = search.key {
            counted.withLock { $0.refused += 1 }
        }
        return Request(search, supply: self)
    }

    public func finish() -> [String] { lock.withLock { _ in maker.finish() } }

    /// Counts a request whose table was to be made.
    private func count(wasMade: Bool) {
        counted.withLock { wasMade ? ($0.made += 1) : ($0.refused += 1) }
    }

    private final class Request: TableRequest {
        private let search: TableSearch
        private let supply: CompilingSupply

        init(_ search: TableSearch, supply: CompilingSupply) { (self.search, self.supply) = (search, supply) }

        var image: ELFImage { search.input.image }
        var key: Result<TableSource.Key, any Error> { search.key }

        var isFound: Bool { search.stored != nil }

        func contentKey() throws -> TableSource.Key { try search.input.contentKey() }

        func withTable<Value>(_ body: (TableView) throws -> Value) throws -> Value {
            if let stored = search.stored { return try stored.withView(body) }
            return try supply.lock.withLock { _ in
                // The value never leaves this thread, which the type system can't see.
                nonisolated(unsafe) let value = try supply.maker.withTable(search, supply.count, body)
                return value
            }
        }
    }
}

/// Compiles tables one after the other, and stores them in batches.
///
/// @unchecked: its owner lets one thread use it at a time.
private final class TableMaker: @unchecked Sendable {
    private let compiler: ImageCompiler
    private let store: TableStore?
    /// Tables that are on their way into the store, with their images' names.
    private let batch: TableBatch?
    private var names: [TableSource.Key: String] = [:]
    private var problems: [String] = []
    private var isStoreBroken = false

    init(_ compiler: ImageCompiler, store: TableStore?) {
        (self.compiler, self.store, batch) = (compiler, store, store.map(TableBatch.init))
    }

    /// Makes a table, and calls `body` with it before the compiler makes another one.
    ///
    /// - Parameter count: is told whether it could be made, unless it was clear before that the image gets none.
    func withTable<Value>(
        _ search: TableSearch, _ count: (_ wasMade: Bool) -> Void, _ body: (TableView) throws -> Value
    ) throws -> Value {
        let table: ProvedTable
        do { table = try search.make(by: compiler) } catch {
            if case .success = search.key { count(false) }
            throw error
        }
        count(true)
        return try table.withView { view in
            keep(view, name: search.input.image.name)
            return try body(view)
        }
    }

    func finish() -> [String] {
        if !names.isEmpty, let batch {
            for (key, failure) in batch.flush() { noteNotStored(names[key] ?? "", failure) }
            names = [:]
        }
        defer { problems = [] }
        return problems
    }

    private func keep(_ view: TableView, name: String) {
        guard let batch else { return }
        do throws(StoreError) {
            try batch.insert(view.bytes, key: view.key)
            names[view.key] = name
        } catch {
            noteNotStored(name, error)
        }
    }

    /// A store that takes no table at all is one problem, not one for each table.
    private func noteNotStored(_ name: String, _ failure: any Error) {
        if isStoreBroken { return }
        do {
            try store?.checkIsWritable()
            problems.append("\(name): its table could not be stored: \(failure)")
        } catch {
            isStoreBroken = true
            problems.append("tables could not be stored: \(error)")
        }
    }
}
