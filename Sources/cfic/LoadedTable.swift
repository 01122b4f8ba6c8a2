import ELF
import Files
import Glibc
import TableCompiler
import TableStore
import UnwindTable

/// A verified table for a command, and the owner of its bytes.
struct LoadedTable {
    private let view: TableView
    /// The ELF file that was compiled; nil for a table that was read.
    var image: ELFImage?
    /// Problems found while compiling, such as malformed FDEs.
    var notes: [String] = []
    /// The path in the cache, if it was found there.
    private(set) var path: String?
    private let owner: AnyObject

    /// Loads a table file, or compiles an ELF file in memory, or finds a build id in the cache.
    init(
        _ name: String, store: () throws -> TableStore, options: TableOptions = TableOptions(),
        debugFiles: DebugFileSearch?
    ) throws {
        if name.withPath({ access($0, F_OK) }) == 0 {
            if try Self.isTable(name) {
                try self.init(try TableFile(named: name), name)
            } else {
                try self.init(compiling: name, options: options, debugFiles: debugFiles)
            }
            return
        }
        guard TableStore.isBuildIDPrefix(name) else {
            throw Failure("\(name): no such file, and not a build id")
        }
        try self.init(buildID: name, store: store())
    }

    /// Whether `name` refers to a table in the cache: there is no such file, and it may be the beginning of a build id.
    static func isBuildID(_ name: String) -> Bool {
        name.withPath({ access($0, F_OK) }) != 0 && TableStore.isBuildIDPrefix(name)
    }

    /// The only table in the cache whose build id starts with `name`.
    init(buildID name: String, store: TableStore) throws {
        let stored = try store.lookup(buildIDPrefixHex: name)
        do {
            self.init(view: try TableVerifier.verify(stored.bytes), owner: stored)
            path = stored.path
        } catch {
            throw Failure("\(stored.path): \(error): compile the file again with --force")
        }
    }

    /// - Parameter name: identifies the file in messages.
    init(_ bytes: TableFile, _ name: String) throws {
        self.init(view: try bytes.verified(name), owner: bytes)
    }

    private init(view: TableView, owner: AnyObject) {
        self.view = view
        self.owner = owner
    }

    init(compiling path: String, options: TableOptions = TableOptions(), debugFiles: DebugFileSearch?) throws {
        let image = try ELFImage(path: path)
        let compiler = ImageCompiler(options: options, debugFiles: debugFiles)
        do {
            let result = try compiler.compile(image)
            // The compiler owns the bytes and isn't used again.
            self.init(view: try TableVerifier.verify(result.table), owner: compiler)
            self.image = image
            notes = result.notes
        } catch let error as CompileError {
            if case .skipped(let reason) = error { throw SkippedFile(path: path, reason: reason) }
            throw error
        } catch {
            throw Failure("\(path): the table compiled from it does not verify (\(error)); please report this")
        }
    }

    /// Calls `body` with the table, whose bytes are valid during the call.
    func withView<Value>(_ body: (TableView) throws -> Value) rethrows -> Value {
        try withExtendedLifetime(owner) { try body(view) }
    }

    /// Whether the file starts with a table's magic bytes.
    static func isTable(_ path: String) throws -> Bool {
        try InputFile.open(path) { descriptor in
            var magic = [UInt8](repeating: 0, count: TableView.magic.count)
            return pread(descriptor, &magic, magic.count, 0) == magic.count && magic == TableView.magic
        }
    }
}

/// A file that gets no table although nothing is wrong with it.
struct SkippedFile: Error, CustomStringConvertible {
    var path: String
    var reason: SkipReason
    var description: String { "\(path): \(reason)" }
}

extension FoundFile {
    /// Whether the file starts with the ELF magic bytes.
    func isELF() throws -> Bool {
        try InputFile.open(path) { ELFImage.isELF(descriptor: $0) }
    }
}

extension TableFile {
    /// Reads a table that the user named.
    convenience init(named path: String) throws {
        do { try self.init(reading: path) } catch { throw Failure("\(path): \(error.problem)") }
    }

    func verified(_ name: String) throws -> TableView {
        do {
            return try TableVerifier.verify(bytes)
        } catch {
            throw Failure("\(name): \(error)")
        }
    }
}
