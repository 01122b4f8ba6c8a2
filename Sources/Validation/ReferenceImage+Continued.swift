import CallFrameInfo
import TableCompiler
import UnwindTable

extension ReferenceImage {
    /// The call frame sections that have entries behind a zero length, as an image of their own in which libdw doesn't
    /// stop there: the zero length becomes four more bytes, all DW_CFA_nop, of the entry before it. Nil if there is
    /// none.
    convenience init?(continuing sources: FrameSources, machine: TableMachine) {
        let files = withExtendedLifetime(sources) {
            sources.sections.compactMap { section in Self.continued(section).map { ($0, section) } }
        }.compactMap { bytes, section in
            try? LibdwFile(
                bytes: SectionImage(
                    name: section.kind == .ehFrame ? ".eh_frame" : ".debug_frame", bytes: bytes,
                    address: section.address, machine: machine).bytes,
                name: "continued section")
        }
        guard !files.isEmpty else { return nil }
        self.init(files)
    }

    /// The section's bytes with the zero lengths between its entries made part of the entry before; nil if none is.
    private static func continued(_ section: FrameSection) -> [UInt8]? {
        var bytes = Array(section.bytes)
        var isChanged = false
        /// Where the length of the last entry is, and how long.
        var last: (offset: Int, size: Int)?
        var position = 0
        func number(_ offset: Int, _ size: Int) -> UInt64 {
            (0..<size).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
        }
        while position + 4 <= bytes.count {
            let is64Bit = number(position, 4) == 0xffff_ffff
            guard !is64Bit || position + 12 <= bytes.count else { break }
            let field = is64Bit ? (offset: position + 4, size: 8) : (offset: position, size: 4)
            let length = number(field.offset, field.size)
            if length == 0, !is64Bit {
                // One at the very beginning has no entry before it, one at the very end nothing behind it.
                guard let last, position + 4 < bytes.count else { break }
                let longer = number(last.offset, last.size) + 4
                for index in 0..<last.size {
                    bytes[last.offset + index] = UInt8(truncatingIfNeeded: longer >> UInt64(8 * index))
                }
                isChanged = true
                position += 4
                continue
            }
            last = field
            let end = UInt64(field.offset + field.size) &+ length
            guard length <= UInt64(bytes.count), end <= UInt64(bytes.count) else { break }
            position = Int(end)
        }
        return isChanged ? bytes : nil
    }
}
