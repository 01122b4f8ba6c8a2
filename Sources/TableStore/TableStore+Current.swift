import Files
import UnwindTable

extension TableStore {
    /// The table with `key`, if it is current: whole, made by the rules that are in force, with these options.
    ///
    /// Checks the header and the checksums of all sections. Whoever looks addresses up in it still lets
    /// `TableVerifier.verify` prove its indices.
    ///
    /// - Throws: why there is none; the caller compiles the image again and inserts the table.
    public func current(key: TableSource.Key, options: TableOptions) throws(NotCurrent) -> StoredTable {
        let table = try currentUnchecked(key: key, options: options)
        try table.checkSections()
        return table
    }

    /// The same for who lets `TableVerifier.verify` prove the whole table at once, which compares the checksums itself.
    public func currentUnchecked(key: TableSource.Key, options: TableOptions) throws(NotCurrent) -> StoredTable {
        let path: String
        do throws(StoreError) { path = try self.path(of: key) } catch { throw .absent }
        let table = try StoredTable(path, isTrusted: isTrusted)
        guard table.key == key else { throw .otherKey }
        guard table.header.revision == Producer.revision else { throw .otherRevision(table.header.revision) }
        guard table.header.options == options else { throw .otherOptions(table.header.options.bits) }
        return table
    }
}

/// Why a table in the store is of no use.
public enum NotCurrent: Error, Equatable, Sendable, CustomStringConvertible {
    case absent
    case cannotRead(errno: Int32)
    /// A directory, symbolic link, FIFO, socket or device is in its place.
    case notRegularFile
    /// Others can write it, which root doesn't take for its own (docs/security.md).
    case writableByOthers
    /// Cut off, overwritten or never a table; says where.
    case damaged(String)
    /// The version of the file format.
    case otherFormat(UInt16)
    /// Of the compiler's rules: the same input gives other bytes now.
    case otherRevision(UInt32)
    /// Their bits in the header: `CFIC_OPTION_*`.
    case otherOptions(UInt32)
    /// The table of another image.
    case otherKey

    /// What is wrong with a file that somebody says is a table.
    public var problem: String {
        switch self {
        case .absent: "no such file"
        case .damaged(let problem): problem
        default: description
        }
    }

    public var description: String {
        switch self {
        case .absent: "no such table"
        case .cannotRead(let code): "cannot read: \(systemMessage(code))"
        case .notRegularFile: "not a regular file"
        case .writableByOthers: "other users can write it"
        case .damaged(let problem): "damaged: \(problem)"
        case .otherFormat(let version): "format version \(version)"
        case .otherRevision(let revision): "made by other rules (revision \(revision))"
        case .otherOptions(let bits): "made with other options (\(bits.hex))"
        case .otherKey: "the table of another image"
        }
    }
}
