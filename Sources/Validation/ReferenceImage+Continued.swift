import CallFrameInfo
import TableCompiler
import UnwindTable

extension ReferenceImage {
    /// An image with the call frame sections that have entries after a zero length, changed so that libdw reads on: the
    /// zero length becomes four more bytes, all DW_CFA_nop, of the preceding entry. Zero lengths before the first entry
    /// are removed. Nil if there are no such sections.
    convenience init?(continuing sources: FrameSources, machine: TableMachine) {
        let files = withExtendedLifetime(sources) {
            sources.sections.compactMap { section in Self.continued(section).map { ($0, section) } }
        }.compactMap { continued, section in
            try? LibdwFile(
                bytes: SectionImage(
                    name: section.kind == .ehFrame ? ".eh_frame" : ".debug_frame", bytes: continued.bytes,
                    address: section.address &+ UInt64(continued.skipped), machine: machine
                ).bytes,
                name: "continued section")
        }
        guard !files.isEmpty else { return nil }
        self.init(files)
    }

    /// The section's bytes without the first `skipped`, with zero lengths between entries added to the preceding entry;
    /// nil if no zero length precedes an entry.
    private static func continued(_ section: FrameSection) -> (bytes: [UInt8], skipped: Int)? {
        var bytes = Array(section.bytes)
        func number(_ offset: Int, _ size: Int) -> UInt64 {
            (0..<size).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
        }
        func store(_ number: UInt64, _ offset: Int, _ size: Int) {
            for index in 0..<size { bytes[offset + index] = UInt8(truncatingIfNeeded: number >> UInt64(8 * index)) }
        }
        var position = 0
        while position + 4 <= bytes.count, number(position, 4) == 0 { position += 4 }
        let skipped = position
        var isChanged = skipped > 0
        /// Offset and size of the last entry's length field.
        var last: (offset: Int, size: Int)?
        while position + 4 <= bytes.count {
            let is64Bit = number(position, 4) == 0xffff_ffff
            guard !is64Bit || position + 12 <= bytes.count else { break }
            let field = is64Bit ? (offset: position + 4, size: 8) : (offset: position, size: 4)
            let length = number(field.offset, field.size)
            if length == 0, !is64Bit {
                // Nothing follows a zero length at the very end.
                guard let last, position + 4 < bytes.count else { break }
                store(number(last.offset, last.size) + 4, last.offset, last.size)
                isChanged = true
                position += 4
                continue
            }
            let content = field.offset + field.size
            guard length >= UInt64(field.size), length <= UInt64(bytes.count - content) else { break }
            if section.kind == .debugFrame, skipped > 0 {
                // The CIE pointer is an offset in the section; a value of all ones marks a CIE.
                let pointer = number(content, field.size)
                let isCIE = pointer == .max >> UInt64(64 - 8 * field.size)
                if !isCIE { store(pointer &- UInt64(skipped), content, field.size) }
            }
            last = field
            position = content + Int(length)
        }
        return isChanged && last != nil ? (Array(bytes[skipped...]), skipped) : nil
    }
}
