import CUnwindTable
import CallFrameInfo
import ELF
import Files
import TableBuilder
import UnwindTable

/// Why an image could not be compiled.
public enum CompileError: Error, CustomStringConvertible {
    /// Nothing is wrong with it; it just gets no table.
    case skipped(SkipReason)
    case elf(ELFError)
    case table(TableError, file: String)

    public var description: String {
        switch self {
        case .skipped(let reason): reason.description
        case .elf(let error): error.description
        case .table(.section(let error), let file): "\(file): call frame section: \(error)"
        case .table(.noFrames, let file): "\(file): no FDE covers executable bytes"
        case .table(.tooLarge, let file): "\(file): larger than a table can describe"
        }
    }
}

/// Compiles ELF images into tables, one after the other, keeping its memory between them.
public final class ImageCompiler {
    private var builder = TableBuilder()
    public var options: TableOptions
    /// Where separate debug files are looked for; nil looks nowhere.
    public var debugFiles: DebugFileSearch?
    /// How many threads one image may use.
    public var threads: Int

    public init(
        options: TableOptions = TableOptions(), debugFiles: DebugFileSearch? = DebugFileSearch(), threads: Int = 1
    ) {
        self.options = options
        self.debugFiles = debugFiles
        self.threads = threads
    }

    /// What compiling one image gave.
    public struct Result {
        /// The table, valid until the compiler's next use, and what building it gave.
        public var built: TableBuilder.Result
        public var source: TableSource
        /// Names of the sections that `built.badFrames` and `built.malformed` count.
        public var sectionNames: [String]
        /// Parts of the image, and debug files, that can't be used and why.
        public var rejected: [String]
    }

    /// Compiles an image.
    ///
    /// - Parameters:
    ///   - image: an executable or a shared library for x86-64 or aarch64.
    ///   - key: what the table is to be found by; nil for its content key.
    public func compile(_ image: ELFImage, key: TableSource.Key? = nil) throws(CompileError) -> Result {
        try compile(ImageInput(image, search: debugFiles), key: key)
    }

    /// Compiles an image of which a part was read before, for its key.
    public func compile(_ input: ImageInput, key: TableSource.Key? = nil) throws(CompileError) -> Result {
        let image = input.image
        let machine = try checkEligible(image)
        let frames = try reading { () throws(ELFError) in try input.frames() }
        guard !frames.sections.isEmpty else { throw .skipped(.noCallFrameInformation) }
        let ranges = try reading { () throws(ELFError) in try image.executableRanges() }
        let executableBytes = ranges.reduce(0) { $0 + UInt64($1.count) }
        let tableKey: TableSource.Key
        if let key { tableKey = key } else { tableKey = try reading { () throws(ELFError) in try input.contentKey() } }
        var source = TableSource(machine: machine, key: tableKey, size: image.loadedSize)
        source.debugSource = frames.debugSource
        source.debugSize = frames.debugSize
        return try withExtendedLifetime(frames) { () throws(CompileError) -> Result in
            let result = try build(image, frames, source, executableBytes)
            try reading { () throws(ELFError) in try frames.checkAreWhole() }
            return result
        }
    }

    /// The machine that a table of this image would be for; reads no call frame section.
    ///
    /// - Throws: `.skipped` for what gets no table by its nature, `.elf` where that can't be told.
    @discardableResult
    public func checkEligible(_ image: ELFImage) throws(CompileError) -> TableMachine {
        let machine: TableMachine
        do throws(SkipReason) { machine = try image.tableMachine() } catch { throw .skipped(error) }
        if isSeparateDebugFile(image) { throw .skipped(.separateDebugFile) }
        return machine
    }

    /// With broken section headers nothing says that it is one, and .eh_frame may still be found.
    private func isSeparateDebugFile(_ image: ELFImage) -> Bool {
        do throws(ELFError) { return try image.isSeparateDebugFile() } catch { return false }
    }

    /// What a table of an image is to be made of.
    public func input(_ image: ELFImage) -> ImageInput { ImageInput(image, search: debugFiles) }

    private func reading<Value>(_ body: () throws(ELFError) -> Value) throws(CompileError) -> Value {
        do throws(ELFError) { return try body() } catch { throw .elf(error) }
    }

    private func build(
        _ image: ELFImage, _ frames: FrameSources, _ source: TableSource, _ executableBytes: UInt64
    ) throws(CompileError) -> Result {
        do throws(TableError) {
            let built = try builder.build(
                frames.sections, entry: frames.entry, executable: image.executableSegments,
                executableBytes: executableBytes, source: source, options: options, threads: threads)
            return Result(
                built: built, source: source, sectionNames: frames.names, rejected: frames.notes)
        } catch {
            if error == .noFrames { throw .skipped(.noCallFrameInformation) }
            throw .table(error, file: image.name)
        }
    }
}

extension ImageCompiler.Result {
    /// Something that is wrong in a call frame section: the same of all images with the same key.
    public struct Fault: Sendable {
        /// Index into the ``ImageCompiler/Result/sectionNames`` of any of these images.
        public var section: Int
        /// Where in the section, and what.
        var text: String

        /// - Parameter sectionNames: of the image that it is told of, which others may have changed since.
        public func note(_ sectionNames: [String]) -> String {
            (sectionNames.indices.contains(section) ? sectionNames[section] : "call frame information") + text
        }
    }

    /// At most 64 of a kind.
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

    /// What was wrong, a line each, with section and offset.
    public var notes: [String] { rejected + faults.map { $0.note(sectionNames) } }
}
