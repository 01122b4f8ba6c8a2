import CallFrameInfo
import ELF
import Files
import TableBuilder
import UnwindTable

/// Why an image has no table.
public enum CompileError: Error, CustomStringConvertible {
    /// There is no error, but this kind of file gets no table.
    case skipped(SkipReason)
    /// The image, or a part of it that the table needs, can't be read.
    case elf(ELFError)
    /// A call frame section of a file is larger than 4 GiB, or has more CIEs than can be indexed; says which.
    case section(String, file: String)
    /// A file is larger than a table can describe.
    case tooLarge(file: String)

    public var description: String {
        switch self {
        case .skipped(let reason): reason.description
        case .elf(let error): error.description
        case .section(let problem, let file): "\(file): call frame section: \(problem)"
        case .tooLarge(let file): "\(file): larger than a table can describe"
        }
    }
}

/// Compiles ELF images into tables, one at a time. Keeps its memory from one image to the next.
public final class ImageCompiler {
    private var builder = TableBuilder()
    /// What tables are to contain.
    public var options: TableOptions
    /// Where to look for separate debug files; nil for nowhere.
    public var debugFiles: DebugFileSearch?
    /// The largest number of threads for one image.
    public var threads: Int
    /// Whether code without call frame information is analysed only where that takes less than about a second, because
    /// somebody waits for the tables. Those that it would take longer for say in their headers that they are without.
    package var infersOnlyQuickly = false

    /// A compiler; its memory grows with the largest image.
    ///
    /// - Parameters:
    /// - options: what tables are to contain.
    /// - debugFiles: where to look for separate debug files; nil for nowhere.
    /// - threads: the largest number of threads for one image.
    public init(
        options: TableOptions = TableOptions(), debugFiles: DebugFileSearch? = DebugFileSearch(), threads: Int = 1
    ) {
        self.options = options
        self.debugFiles = debugFiles
        self.threads = threads
    }

    /// The result of compiling one image.
    public struct Result {
        /// The table and what was found while building it.
        package var built: TableBuilder.Result
        /// The table, valid until the compiler's next use.
        public var table: UnsafeRawBufferPointer { built.table }
        /// What was counted, as in the table's header.
        public var counts: TableCounts { built.counts }
        /// What the table's header says of its origin, the key included.
        public var source: TableSource
        /// Names of the sections, by the indices in `built.badFrames` and `built.malformed`.
        public var sectionNames: [String]
        /// Why parts of the image, or debug files, were skipped, one line each.
        public var rejected: [String]
    }

    /// Compiles an image.
    ///
    /// - Parameters:
    ///   - image: an executable or a shared library for x86-64 or aarch64.
    ///   - key: the table's key; nil for the content key.
    public func compile(_ image: ELFImage, key: TableSource.Key? = nil) throws(CompileError) -> Result {
        try compile(ImageInput(image, search: debugFiles), key: key)
    }

    /// Compiles an image that may have been partly read before, for its key.
    public func compile(_ input: ImageInput, key: TableSource.Key? = nil) throws(CompileError) -> Result {
        let image = input.image
        let machine = try Self.checkEligible(image)
        var frames = try reading { () throws(ELFError) in try input.frames() }
        guard !frames.sections.isEmpty else { throw .skipped(.noCallFrameInformation) }
        let ranges = try reading { () throws(ELFError) in try image.executableRanges() }
        let executableBytes = ranges.reduce(0) { $0 + UInt64($1.count) }
        let tableKey: TableSource.Key
        if let key { tableKey = key } else { tableKey = try reading { () throws(ELFError) in try input.contentKey() } }
        var source = TableSource(machine: machine, key: tableKey, size: image.loadedSize)
        source.debugSource = frames.debugSource
        source.debugSize = frames.debugSize
        var options = options.usable
        if infersOnlyQuickly, let gaps = frames.gaps, !gaps.areQuick { options.infers = false }
        if options.infers { frames.infer() }
        return try withExtendedLifetime(frames) { () throws(CompileError) -> Result in
            let result = try build(image, frames, source, options, executableBytes)
            try reading { () throws(ELFError) in try frames.checkAreWhole() }
            return result
        }
    }

    /// The machine of this image's table. Doesn't read call frame sections.
    ///
    /// - Throws: `.skipped` if this kind of file gets no table.
    @discardableResult
    public static func checkEligible(_ image: ELFImage) throws(CompileError) -> TableMachine {
        let machine: TableMachine
        do throws(SkipReason) { machine = try image.tableMachine() } catch { throw .skipped(error) }
        if isSeparateDebugFile(image) { throw .skipped(.separateDebugFile) }
        return machine
    }

    /// False if section headers are broken: then this is unknown, but .eh_frame may still be found.
    private static func isSeparateDebugFile(_ image: ELFImage) -> Bool {
        do throws(ELFError) { return try image.isSeparateDebugFile() } catch { return false }
    }

    /// The input of an image's table.
    public func input(_ image: ELFImage) -> ImageInput { ImageInput(image, search: debugFiles) }

    private func reading<Value>(_ body: () throws(ELFError) -> Value) throws(CompileError) -> Value {
        do throws(ELFError) { return try body() } catch { throw .elf(error) }
    }

    private func build(
        _ image: ELFImage, _ frames: FrameSources, _ source: TableSource, _ options: TableOptions,
        _ executableBytes: UInt64
    ) throws(CompileError) -> Result {
        do throws(TableError) {
            let built = try builder.build(
                frames.sections, sources: frames.kinds, entry: frames.entry, executable: image.executableSegments,
                executableBytes: executableBytes, source: source, options: options, threads: threads)
            return Result(
                built: built, source: source, sectionNames: frames.names, rejected: frames.notes)
        } catch {
            switch error {
            case .noFrames: throw .skipped(.noCallFrameInformation)
            case .section(let problem): throw .section(problem.description, file: image.name)
            case .tooLarge: throw .tooLarge(file: image.name)
            }
        }
    }
}

extension ImageCompiler.Result {
    /// An error in a call frame section. All images with the same key have it.
    public struct Fault: Sendable {
        /// Index into the ``ImageCompiler/Result/sectionNames`` of any of these images.
        public var section: Int
        /// Offset in the section, and the error.
        var text: String

        /// - Parameter sectionNames: names of the image in question. Its file may have been modified since, so the
        ///   index may be out of bounds.
        public func note(_ sectionNames: [String]) -> String {
            (sectionNames.indices.contains(section) ? sectionNames[section] : "call frame information") + text
        }
    }

    /// At most 64 malformed entries and 64 bad FDEs.
    public var faults: [Fault] {
        func place(_ offset: Int) -> String { "+\(offset.hex)" }
        let malformed = built.malformed.prefix(64).map {
            Fault(section: $0.section, text: "\(place($0.offset)): \($0.error)")
        }
        return malformed
            + built.badFrames.prefix(64).map {
                Fault(
                    section: $0.section,
                    text: "\(place($0.blamed)): FDE of \($0.start.hex): \($0.error)")
            }
    }

    /// All errors, one line each, with section and offset.
    public var notes: [String] { rejected + faults.map { $0.note(sectionNames) } }
}
