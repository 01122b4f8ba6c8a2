import CallFrameInfo
import ELF
import GoFunctionTable

/// The functions of a Go program whose `.debug_frame` was stripped: `.gopclntab` tells their stack depths.
///
/// They become synthetic call frame information, which is used only where there is no other.
struct GoProgram {
    let frames: GoFrames
    let section: FrameSection
    /// The name of the section that they come from, for messages.
    let sectionName: String

    /// The Go functions of an image; nil if it has none, or isn't an x86-64 or aarch64 image.
    ///
    /// - Throws: `ELFError` if sections can't be read, or the table is defective.
    init?(of image: ELFImage) throws(ELFError) {
        guard let functions = try image.goFunctions() else { return nil }
        var code: [(addresses: Range<UInt64>, bytes: UnsafeRawBufferPointer)] = []
        for part in try image.sections() where part.isExecutable && !part.hasNoBits {
            let bytes = try image.bytes(of: part)
            let (end, overflow) = part.address.addingReportingOverflow(UInt64(bytes.count))
            if !overflow { code.append((part.address..<end, bytes)) }
        }
        do throws(GoTableError) {
            frames = try GoFrames(functions.table, isAArch64: image.machine == .aarch64, code: GoCode(code))
        } catch {
            throw image.malformed(error, functions.section)
        }
        section = FrameSection(kind: .debugFrame, bytes: frames.bytes, address: 0, machine: image.machine.rawValue)
        sectionName = functions.section.name
    }
}
