import Glibc
import UnwindTable

/// A table of the store, read into private memory.
public final class StoredTable: Sendable {
    /// Where the table is.
    public let path: String
    private let file: TableFile
    /// The key in the table's header.
    public let key: TableSource.Key

    /// The table's bytes, page-aligned. Valid as long as this object exists (see ``TableFile/bytes``), which
    /// ``withUnsafeBytes(_:)`` ensures.
    public var bytes: UnsafeRawBufferPointer { file.bytes }
    /// Proved by `TableVerifier.readHeader`.
    public var header: TableHeader { file.header }

    /// Reads a table file and checks its header.
    ///
    /// - Throws: as ``TableFile/init(reading:)``. A symbolic link gives ``NotCurrent/notRegularFile``.
    init(_ path: String, isTrusted: (stat) -> Bool) throws(NotCurrent) {
        self.path = path
        file = try TableFile(path, flags: O_NOFOLLOW, isTrusted: isTrusted)
        key = file.header.key
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
    package func checkContent() throws(NotCurrent) {
        try withUnsafeBytes { bytes throws(NotCurrent) in try WholeTable.checkContent(of: bytes, header) }
    }
}
