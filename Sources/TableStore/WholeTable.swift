import CUnwindTable
import CXXHash
import UnwindTable

/// Whether bytes are a whole table: header and checksums. Indices and bounds inside sections are `TableVerifier`'s.
enum WholeTable {
    /// - Throws: ``NotCurrent/damaged(_:)`` or ``NotCurrent/otherFormat(_:)``
    static func header(of bytes: UnsafeRawBufferPointer) throws(NotCurrent) -> cfic_table_header {
        let size = MemoryLayout<cfic_table_header>.size
        guard bytes.starts(with: magic) else { throw .damaged("header+0x0: not an unwind table") }
        guard bytes.count >= size else { throw .damaged("header+0x\(hex(bytes.count)): the file ends here") }
        let header = bytes.loadUnaligned(as: cfic_table_header.self)
        guard header.version == UInt16(CFIC_TABLE_VERSION) else { throw .otherFormat(header.version) }
        guard checksum(bytes[..<(size - 8)]) == header.checksum else { throw .damaged("header+0x0: wrong checksum") }
        guard Int(header.header_size) == size, (1...CFIC_KEY_MAX).contains(Int32(header.key_size)) else {
            throw .damaged("header+0x0: sizes don't fit format version \(header.version)")
        }
        return header
    }

    /// - Throws: ``NotCurrent/damaged(_:)``
    static func checkSections(of bytes: UnsafeRawBufferPointer, _ header: cfic_table_header) throws(NotCurrent) {
        let sections = header.sections
        let all = [sections.0, sections.1, sections.2, sections.3, sections.4]
        let names = ["ranges", "directory", "rules", "expressions", "pages"]
        for (section, name) in zip(all, names) {
            let fileSize = UInt64(bytes.count)
            guard section.offset <= fileSize, section.size <= fileSize - section.offset else {
                throw .damaged("\(name)+0x0: runs past the end of the file (\(bytes.count) bytes)")
            }
            let start = Int(section.offset)
            guard checksum(bytes[start..<start + Int(section.size)]) == section.checksum else {
                throw .damaged("\(name)+0x0: wrong checksum")
            }
        }
    }

    static func key(of header: cfic_table_header) -> TableSource.Key {
        let bytes = withUnsafeBytes(of: header.key) { Array($0.prefix(Int(header.key_size))) }
        return UInt32(header.key_kind) == CFIC_KEY_CONTENT.rawValue ? .content(bytes) : .buildID(bytes)
    }

    private static let magic = [0x89] + Array("UNWTAB\n".utf8)

    private static func hex(_ offset: Int) -> String { String(offset, radix: 16) }

    private static func checksum(_ bytes: Slice<UnsafeRawBufferPointer>) -> UInt64 {
        let bytes = UnsafeRawBufferPointer(rebasing: bytes)
        return XXH64(bytes.baseAddress, bytes.count, 0)
    }
}
