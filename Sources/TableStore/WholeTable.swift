import CUnwindTable
import UnwindTable

/// Whether bytes are a whole table: header and checksums. What is inside sections, `TableVerifier.verify` proves.
enum WholeTable {
    /// - Throws: ``NotCurrent/damaged(_:)`` or ``NotCurrent/otherFormat(_:)``
    static func header(of bytes: UnsafeRawBufferPointer) throws(NotCurrent) -> cfic_table_header {
        let size = MemoryLayout<cfic_table_header>.size
        if bytes.count >= size, bytes.starts(with: TableView.magic) {
            let version = bytes.loadUnaligned(as: cfic_table_header.self).version
            guard version == UInt16(CFIC_TABLE_VERSION) else { throw .otherFormat(version) }
        }
        do throws(TableDefect) {
            return try TableVerifier.readHeader(bytes)
        } catch {
            throw .damaged(error.description)
        }
    }

    /// - Throws: ``NotCurrent/damaged(_:)``
    static func checkSections(of bytes: UnsafeRawBufferPointer, _ header: cfic_table_header) throws(NotCurrent) {
        do throws(TableDefect) {
            try TableVerifier.checkSums(bytes, header)
        } catch {
            throw .damaged(error.description)
        }
    }

    static func key(of header: cfic_table_header) -> TableSource.Key {
        let bytes = withUnsafeBytes(of: header.key) { Array($0.prefix(Int(header.key_size))) }
        return UInt32(header.key_kind) == CFIC_KEY_CONTENT.rawValue ? .content(bytes) : .buildID(bytes)
    }
}
