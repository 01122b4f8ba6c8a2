import ELF
import TableCompiler
import TableStore
import UnwindTable

/// Compares files' tables with libdw, one file at a time. Not thread-safe: use one per thread.
public final class ImageValidator {
    /// The result of comparing one file.
    public struct Result: Sendable {
        public var validation: TableValidation
        public var isFromCache: Bool
        /// The table's rules at the disagreements, as text, in the order of `validation.disagreements`.
        public var rules: [String]
    }

    private let store: TableStore?
    private let effort: TableValidation.Effort
    private let compiler: ImageCompiler

    /// - Parameters:
    ///   - store: its current tables are compared; nil: all tables are compiled.
    ///   - debugFiles: nil ignores separate and embedded debug files.
    public init(
        store: TableStore?, options: TableOptions = TableOptions(), debugFiles: DebugFileSearch?,
        effort: TableValidation.Effort = TableValidation.Effort()
    ) {
        self.store = store
        self.effort = effort
        compiler = ImageCompiler(options: options, debugFiles: debugFiles)
    }

    /// Compares an image's table with libdw.
    ///
    /// - Throws: `CompileError`, including `.skipped`; `ELFError`; an error that says why a table can't be compared;
    ///   libdw's error for a file that it can't read.
    public func validate(_ image: ELFImage) throws -> Result {
        let table = try ImageTable(of: image, store: store, compiler: compiler)
        let reference = try ReferenceImage(of: image, table.sources)
        return try table.withView { view in
            let validation = TableValidation(view, reference, sources: table.sources, effort: effort)
            try table.sources.checkAreWhole()
            return Result(
                validation: validation, isFromCache: table.isFromCache,
                rules: validation.disagreements.map { view.describe(view.ruleNumber(at: $0.address)) })
        }
    }
}

extension ReferenceImage {
    /// - Parameter sources: gives the debug file with the rest of the image's .debug_frame.
    convenience init(of image: ELFImage, _ sources: FrameSources) throws {
        // libdw reads all debug sections, at any size that their headers claim.
        for image in [image, sources.debugImage] { try image?.checkSectionSizes() }
        let files = try [image, sources.debugImage].compactMap { $0 }.map { image throws(LibdwFile.Failure) in
            if let bytes = image.memoryBytes { return try LibdwFile(bytes: bytes, name: image.name) }
            return try LibdwFile(path: image.name)
        }
        self.init(files, edges: FrameEdges(sources))
    }
}
