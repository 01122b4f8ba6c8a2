import CUnwindTable
import Glibc
import UnwindTable

/// A table file, mapped read-only until the last reference goes.
///
/// Mapping is safe here because the store never rewrites a file: it replaces it, and the mapping keeps the old one.
/// @unchecked: nothing changes after `init`.
public final class StoredTable: @unchecked Sendable {
    public let path: String
    /// The file's bytes, page-aligned, valid as long as this object: whoever keeps them, or a `TableView` on them, keeps
    /// it alive with `withExtendedLifetime`, because a reference may end at its last use. ``withUnsafeBytes(_:)`` does.
    public let bytes: UnsafeRawBufferPointer
    /// Proved by `TableVerifier.readHeader`.
    public let header: cfic_table_header
    /// The key that the table says it has.
    public let key: TableSource.Key

    /// Maps a table file and checks its header.
    ///
    /// - Throws: ``NotCurrent/absent``, ``NotCurrent/cannotRead(errno:)``, ``NotCurrent/notRegularFile``,
    ///   ``NotCurrent/damaged(_:)`` or ``NotCurrent/otherFormat(_:)``.
    init(mapping path: String) throws(NotCurrent) {
        self.path = path
        bytes = try Self.map(path)
        do throws(NotCurrent) {
            header = try WholeTable.header(of: bytes)
        } catch {
            munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
            throw error
        }
        key = WholeTable.key(of: header)
    }

    deinit {
        munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
    }

    /// Calls `body` with the file's bytes, which are valid until it returns.
    public func withUnsafeBytes<Value, Failure>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        defer { withExtendedLifetime(self) {} }
        return try body(bytes)
    }

    /// Compares the checksums of all sections.
    ///
    /// - Throws: ``NotCurrent/damaged(_:)``
    func checkSections() throws(NotCurrent) {
        try withUnsafeBytes { bytes throws(NotCurrent) in try WholeTable.checkSections(of: bytes, header) }
    }

    private static func map(_ path: String) throws(NotCurrent) -> UnsafeRawBufferPointer {
        // O_NONBLOCK: a FIFO in the file's place must not make us wait for a writer.
        guard let file = Descriptor(opening: path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY) else {
            switch errno {
            case ENOENT: throw .absent
            case ELOOP, ENXIO: throw .notRegularFile
            case let code: throw .cannotRead(errno: code)
            }
        }
        guard let status = file.status() else { throw .cannotRead(errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegularFile }
        guard status.st_size > 0 else { throw .damaged("empty file") }
        guard let bytes = file.map(count: Int(status.st_size)) else { throw .cannotRead(errno: errno) }
        return bytes
    }
}
