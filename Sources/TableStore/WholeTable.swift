import CUnwindTable
import UnwindTable

/// Checks that bytes are a whole table: header and checksum. `TableVerifier.verify` proves the contents of sections.
enum WholeTable {
    /// - Parameter bytes: at least the header of a file of `fileSize` bytes.
    /// - Throws: ``NotCurrent/damaged(_:)`` or ``NotCurrent/otherFormat(_:)``
    static func header(of bytes: UnsafeRawBufferPointer, fileSize: Int? = nil) throws(NotCurrent) -> TableHeader {
        if bytes.count >= MemoryLayout<cfic_table_header>.size, bytes.starts(with: TableView.magic) {
            let version = bytes.loadUnaligned(as: cfic_table_header.self).version
            guard version == UInt16(CFIC_TABLE_VERSION) else { throw .otherFormat(version) }
        }
        do throws(TableDefect) {
            return try TableVerifier.readHeader(bytes, fileSize: fileSize ?? bytes.count)
        } catch {
            throw .damaged(error.description)
        }
    }

    /// The error of ``header(of:fileSize:)``, or nil.
    static func problem(of bytes: UnsafeRawBufferPointer, fileSize: Int) -> NotCurrent? {
        do throws(NotCurrent) {
            _ = try header(of: bytes, fileSize: fileSize)
            return nil
        } catch {
            return error
        }
    }

    /// - Throws: ``NotCurrent/damaged(_:)``
    static func checkContent(of bytes: UnsafeRawBufferPointer, _ header: TableHeader) throws(NotCurrent) {
        do throws(TableDefect) {
            try TableVerifier.checkContent(bytes, header)
        } catch {
            throw .damaged(error.description)
        }
    }
}
