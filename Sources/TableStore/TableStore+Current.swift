import CUnwindTable
import Files
import UnwindTable

extension TableStore {
    /// The table with `key`, if it is current: whole, made by the current revision of the rules, and with these
    /// options.
    ///
    /// Checks the header and the checksums of all sections. Before addresses are looked up, `TableVerifier.verify` must
    /// still prove the rest.
    ///
    /// - Throws: why there is no such table. The caller then compiles the image and inserts the table.
    public func current(key: TableSource.Key, options: TableOptions) throws(NotCurrent) -> StoredTable {
        let table = try currentUnchecked(key: key, options: options)
        try table.checkContent()
        return table
    }

    /// As ``current(key:options:)``, without checking the sections' checksums, for callers that run
    /// `TableVerifier.verify`, which checks them.
    package func currentUnchecked(key: TableSource.Key, options: TableOptions) throws(NotCurrent) -> StoredTable {
        let path: String
        do throws(StoreError) { path = try self.path(of: key) } catch { throw .absent }
        let table = try StoredTable(path, isTrusted: isTrusted)
        guard table.key == key else { throw .otherKey }
        guard table.header.revision == Producer.revision else { throw .otherRevision(table.header.revision) }
        guard table.header.options == options else { throw .otherOptions(table.header.options.bits) }
        return table
    }
}

/// Why a table in the store can't be used.
public enum NotCurrent: Error, Equatable, Sendable, CustomStringConvertible {
    /// There is no such file.
    case absent
    /// Opening or reading the file failed, with this `errno`.
    case cannotRead(errno: Int32)
    /// A directory, symbolic link, FIFO, socket or device has its name.
    case notRegularFile
    /// Others can write to it, so root doesn't trust it (docs/security.md).
    case writableByOthers
    /// Truncated, overwritten, or not a table; the text says where.
    case damaged(String)
    /// The version of its format.
    case otherFormat(UInt16)
    /// The revision of the rules that it was made by: the same input now gives other bytes.
    case otherRevision(UInt32)
    /// The bits of its options in the header: `CFIC_OPTION_*`.
    case otherOptions(UInt32)
    /// It belongs to another image.
    case otherKey

    /// The problem, worded for a file that the user named as a table.
    public var problem: String {
        switch self {
        case .absent: "no such file"
        case .damaged(let problem): problem
        case .otherFormat(let version) where version < CFIC_TABLE_VERSION:
            "format version \(version), of an older cfic: compile the file again"
        default: description
        }
    }

    public var description: String {
        switch self {
        case .absent: "no such table"
        case .cannotRead(let code): "cannot read: \(systemMessage(code))"
        case .notRegularFile: "not a regular file"
        case .writableByOthers: "other users can write to it"
        case .damaged(let problem): "damaged: \(problem)"
        case .otherFormat(let version): "format version \(version)"
        case .otherRevision(let revision): "made by revision \(revision) of the rules"
        case .otherOptions(let bits): "made with other options (\(bits.hex))"
        case .otherKey: "the table of another image"
        }
    }
}
