import CUnwindTable
import Glibc
import UnwindTable

/// A table file, mapped read-only until the last reference goes.
///
/// Mapping is safe here because the store never rewrites a file: it replaces it, and the mapping keeps the old one.
/// @unchecked: nothing changes after `init`.
public final class StoredTable: @unchecked Sendable {
    public let path: String
    /// The file's bytes; valid as long as this object.
    public let bytes: UnsafeRawBufferPointer
    /// Checked by its checksum; what it says of sections is checked by ``checkSections()``.
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

    /// Compares the checksums of all sections.
    ///
    /// - Throws: ``NotCurrent/damaged(_:)``
    func checkSections() throws(NotCurrent) {
        try WholeTable.checkSections(of: bytes, header)
    }

    private static func map(_ path: String) throws(NotCurrent) -> UnsafeRawBufferPointer {
        // O_NONBLOCK: a FIFO in the file's place must not make us wait for a writer.
        let number = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
        guard number >= 0 else {
            switch errno {
            case ENOENT: throw .absent
            case ELOOP, ENXIO: throw .notRegularFile
            default: throw .cannotRead(errno: errno)
            }
        }
        let file = Descriptor(owning: number)
        var status = stat()
        guard fstat(file.number, &status) == 0 else { throw .cannotRead(errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegularFile }
        guard status.st_size > 0 else { throw .damaged("empty file") }
        let count = Int(status.st_size)
        let mapping = mmap(nil, count, PROT_READ, MAP_PRIVATE, file.number, 0)
        guard let mapping, mapping != MAP_FAILED else { throw .cannotRead(errno: errno) }
        return UnsafeRawBufferPointer(start: mapping, count: count)
    }
}
