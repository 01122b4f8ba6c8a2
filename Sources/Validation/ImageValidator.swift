import CUnwindTable
import ELF
import TableCompiler
import TableStore
import UnwindTable

/// Compares files' tables with libdw, one file after the other. Not thread-safe: one for each thread.
public final class ImageValidator {
    public enum Failure: Error, CustomStringConvertible {
        /// The table of the cache was made with a debug file that isn't found, or has changed.
        case debugFileGone(String)
        /// A table that was made just now isn't proved by the verifier.
        case unproved(String, TableDefect)

        public var description: String {
            switch self {
            case .debugFileGone(let name):
                "\(name): its table in the cache was made with a debug file that isn't found; try --no-cache"
            case .unproved(let name, let defect):
                "\(name): the table made of it does not verify (\(defect)); please report this"
            }
        }
    }

    /// What comparing one file gave.
    public struct Result: Sendable {
        public var validation: TableValidation
        public var isFromCache: Bool
        /// What the table's rules at the disagreements are, in words, in the order of `validation.disagreements`.
        public var rules: [String]
        public var debugSource: TableSource.DebugSource
    }

    private let store: TableStore?
    private let effort: TableValidation.Effort
    private let compiler: ImageCompiler

    /// - Parameters:
    ///   - store: whose current tables are compared; nil: all are made anew.
    ///   - debugFiles: nil leaves separate and embedded debug files out.
    public init(
        store: TableStore?, options: TableOptions = TableOptions(), debugFiles: DebugFileSearch?,
        effort: TableValidation.Effort = TableValidation.Effort()
    ) {
        self.store = store
        self.effort = effort
        compiler = ImageCompiler(options: options, debugFiles: debugFiles)
    }

    /// - Throws: `CompileError`, `.skipped` among them; ``Failure``; what libdw says of a file that it can't read.
    public func validate(_ image: ELFImage) throws -> Result {
        try compiler.checkEligible(image)
        let key = try image.tableKey()
        if let stored = try? store?.current(key: key, options: compiler.options),
            let result = try stored.withUnsafeBytes({ bytes in
                // Not provable: as good as absent.
                try (try? TableVerifier.verify(bytes)).map { try validate(image, $0, isFromCache: true) }
            }) {
            return result
        }
        let built = try compiler.compile(image, key: key).built.table
        let view: TableView
        do throws(TableDefect) { view = try TableVerifier.verify(built) } catch {
            throw Failure.unproved(image.name, error)
        }
        return try validate(image, view, isFromCache: false)
    }

    private func validate(_ image: ELFImage, _ table: TableView, isFromCache: Bool) throws -> Result {
        let debugSource = TableSource.DebugSource(rawValue: table.header.debug_source) ?? .none
        let isElsewhere = debugSource == .separateFile || debugSource == .embedded
        let sources = try FrameSources(of: image, search: isElsewhere ? compiler.debugFiles ?? DebugFileSearch() : nil)
        guard sources.debugSource == debugSource, sources.debugSize == table.header.debug_size else {
            throw Failure.debugFileGone(image.name)
        }
        let reference = try ReferenceImage(of: image, sources)
        let validation = TableValidation(table, reference, sources: sources, effort: effort)
        try sources.checkAreWhole()
        return Result(
            validation: validation, isFromCache: isFromCache,
            rules: validation.disagreements.map { table.describe(table.ruleNumber(at: $0.address)) },
            debugSource: debugSource)
    }
}

extension ReferenceImage {
    /// - Parameter sources: says where there is more of the image's .debug_frame.
    convenience init(of image: ELFImage, _ sources: FrameSources) throws {
        self.init(try [image, sources.debugImage].compactMap { $0 }.map { image throws(LibdwFile.Failure) in
            if let bytes = image.memoryBytes { return try LibdwFile(bytes: bytes, name: image.name) }
            return try LibdwFile(path: image.name)
        })
    }
}
