import CallFrameInfo
import ELF
import TableBuilder
import UnwindTable

/// How many bytes an image's call frame information takes, as it is there and in other formats.
package struct ImageSizes: Sendable {
    package var machine: TableMachine
    /// FDEs with a range of addresses.
    package var functions: UInt64
    /// Rows of the table.
    package var rows: UInt64
    /// `.eh_frame`, to its end or, without section headers, its terminator.
    package var ehFrame: UInt64
    /// `.eh_frame_hdr`
    package var ehFrameHeader: UInt64
    /// The `.debug_frame` that the table is made from, unpacked: the image's own, or its debug file's.
    package var debugFrame: UInt64
    /// The same as it is in the file; nil unless that differs, or if it is within `.gnu_debugdata`.
    package var packedDebugFrame: UInt64?
    /// `.sframe`; nil if there is none.
    package var sframe: UInt64?
    /// The whole table.
    package var table: UInt64
    /// Functions of which the table has a row without a rule.
    package var unsupportedFunctions: UInt64
    /// What SFrame would take for the same rows, in versions 2 and 3.
    package var sframeV2: SFrameSize
    package var sframeV3: SFrameSize
    /// What was wrong with the input, as in a compilation.
    package var notes: [String]
}

extension ImageCompiler {
    /// Compiles an image, and measures it.
    package func sizes(of image: ELFImage) throws(CompileError) -> ImageSizes {
        let input = input(image)
        let result = try compile(input)
        do throws(ELFError) {
            let sizes = ImageSizes(result, image, try input.frames())
            // The sections were read once more.
            try input.frames().checkAreWhole()
            return sizes
        } catch {
            throw .elf(error)
        }
    }
}

extension ImageSizes {
    fileprivate init(_ result: ImageCompiler.Result, _ image: ELFImage, _ frames: FrameSources) {
        machine = result.source.machine
        functions = UInt64(result.counts.fdes)
        rows = result.counts.rows
        table = UInt64(result.table.count)
        notes = result.notes
        let sections = Array(frames.sections.prefix(frames.storedCount))
        ehFrame = sections.filter { $0.kind == .ehFrame }.reduce(0) { $0 + UInt64($1.usedBytes) }
        ehFrameHeader = image.ehFrameHeaderBytes
        debugFrame = sections.filter { $0.kind == .debugFrame }.reduce(0) { $0 + UInt64($1.bytes.count) }
        let stored = frames.storedDebugFrameBytes(of: image)
        packedDebugFrame = stored == debugFrame ? nil : stored
        sframe = image.storedBytes(of: [".sframe"])
        let lowered = LoweredFrames(sections, machine: machine)
        let pieces = lowered.pieces(within: image.executableSegments)
        unsupportedFunctions = UInt64(pieces.count { !lowered.hasOnlyRules($0) })
        (sframeV2, sframeV3) = SFrameSize.sizes(of: lowered, pieces, machine: machine)
    }
}

extension FrameSources {
    /// Size of `.debug_frame` in the file that it is in; nil if there is none, or it is within `.gnu_debugdata`.
    fileprivate func storedDebugFrameBytes(of image: ELFImage) -> UInt64? {
        let owner: ELFImage? =
            switch debugSource {
            case .sameFile: image
            case .separateFile: debugImage
            case .none, .embedded, .goFunctionTable: nil
            }
        return owner?.storedBytes(of: [".debug_frame", ".zdebug_frame"])
    }
}

extension FrameSection {
    /// All bytes; or those up to the terminator, if only that states where the section ends.
    fileprivate var usedBytes: Int {
        guard endsAtTerminator else { return bytes.count }
        var position = 0
        while position < bytes.count, let header = try? entryHeader(at: position) {
            position = header.end
            if header.isTerminator { break }
        }
        return position
    }
}

extension LoweredFrames {
    /// Whether each row of a piece is a rule, or the end of the stack.
    fileprivate func hasOnlyRules(_ piece: Piece) -> Bool {
        var hasOnlyRules = true
        forEachRow(of: piece) { if $1.reason != nil { hasOnlyRules = false } }
        return hasOnlyRules
    }
}
