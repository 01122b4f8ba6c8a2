import CUnwindTable
import Files
import Glibc
import UnwindTable

/// The bytes of a table file, read into private memory: truncating or changing the file afterwards neither raises a
/// signal here nor changes what was proved.
///
/// @unchecked: immutable after `init`.
public final class TableFile: @unchecked Sendable {
    /// The file's bytes, page-aligned, valid as long as this object exists. Code that keeps them, or a `TableView` of
    /// them, must keep this object alive with `withExtendedLifetime`, because a reference may be released after its
    /// last use.
    public let bytes: UnsafeRawBufferPointer
    /// Proved by `TableVerifier.readHeader`.
    public let header: TableHeader

    /// Reads a file that the user named.
    ///
    /// - Throws: ``NotCurrent/absent``, ``NotCurrent/cannotRead(errno:)``, ``NotCurrent/notRegularFile``,
    ///   ``NotCurrent/damaged(_:)`` or ``NotCurrent/otherFormat(_:)``.
    public convenience init(reading path: String) throws(NotCurrent) {
        try self.init(path, flags: 0, isTrusted: { _ in true })
    }

    /// - Parameters:
    ///   - flags: of open(2), in addition to those that make it safe to open a FIFO or a terminal.
    ///   - isTrusted: called with the status of the open file; if it returns false, ``NotCurrent/writableByOthers`` is
    ///     thrown.
    init(_ path: String, flags: Int32, isTrusted: (stat) -> Bool) throws(NotCurrent) {
        guard let file = Descriptor(opening: path, O_RDONLY | O_NONBLOCK | O_NOCTTY | flags) else {
            switch errno {
            case ENOENT: throw .absent
            case ELOOP where flags & O_NOFOLLOW != 0: throw .notRegularFile
            case ENXIO: throw .notRegularFile
            case let code: throw .cannotRead(errno: code)
            }
        }
        guard let status = file.status() else { throw .cannotRead(errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegularFile }
        guard isTrusted(status) else { throw .writableByOthers }
        let size = Int(status.st_size)
        guard size > 0 else { throw .damaged("empty file") }
        try Self.checkIsThere(file, size)
        // The header states the size, so memory is allocated only for as many bytes as it confirms.
        let head = file.read(limit: min(size, TableHeader.longest))
        if let problem = head.withUnsafeBytes({ WholeTable.problem(of: $0, fileSize: size) }) { throw problem }
        bytes = try Self.read(file, size)
        // The file may have changed meanwhile: only the bytes in memory count.
        do throws(NotCurrent) {
            header = try WholeTable.header(of: bytes, fileSize: size)
        } catch {
            munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
            throw error
        }
    }

    deinit {
        munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
    }

    /// Rejects sparse files. Their holes read as zeros, as fast as memory, and take no space on the disk, but work must
    /// be in proportion to what was really written. Tables aren't mostly zeros. Small files needn't be checked.
    private static func checkIsThere(_ file: borrowing Descriptor, _ size: Int) throws(NotCurrent) {
        guard size > smallSize, !file.holds(atLeast: size / 2) else { return }
        throw .damaged("more than half of its \(size) bytes are a hole")
    }

    private static let smallSize = 16 << 20

    private static func read(_ file: borrowing Descriptor, _ size: Int) throws(NotCurrent) -> UnsafeRawBufferPointer {
        // mmap rather than malloc, because failing to get that much memory is then an ordinary error.
        let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard memory != MAP_FAILED else { throw .cannotRead(errno: errno) }
        let buffer = UnsafeMutableRawBufferPointer(start: memory, count: size)
        guard let code = file.read(into: buffer) else { return UnsafeRawBufferPointer(buffer) }
        munmap(memory, size)
        if code == 0 { throw .damaged("shrank while it was read") }
        throw .cannotRead(errno: code)
    }
}
