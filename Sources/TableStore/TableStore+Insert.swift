import CUnwindTable
import Files
import Glibc
import UnwindTable

extension TableStore {
    /// Inserts a table, replacing the one with the same key.
    ///
    /// Its bytes are on the disk before its name appears. With concurrent writers, each table is seen whole, and the
    /// last one remains.
    ///
    /// - Throws: ``StoreError/cannot(_:path:errno:in:)``, leaving at most empty directories behind;
    ///   ``StoreError/invalidKey(byteCount:)``; ``StoreError/notTheTable(_:)`` if the header of `table` is damaged or
    ///   has another key.
    public func insert(_ table: UnsafeRawBufferPointer, key: TableSource.Key) throws(StoreError) {
        let target = try target(of: table, key: key)
        try target.replace(with: table, isDurable: true)
    }

    /// Writes a table's bytes without making them visible or synchronizing them.
    func unseenFile(_ table: UnsafeRawBufferPointer, key: TableSource.Key) throws(StoreError) -> UnseenFile {
        let target = try target(of: table, key: key)
        return try UnseenFile(target, table)
    }

    /// The file for a table, in a directory that exists.
    private func target(of table: UnsafeRawBufferPointer, key: TableSource.Key) throws(StoreError) -> AtomicFile {
        do throws(NotCurrent) {
            let header = try WholeTable.header(of: table)
            guard header.key == key else { throw .otherKey }
        } catch {
            throw .notTheTable(error)
        }
        let place = try self.place(of: key)
        try makeTrusted(place.directory, in: place.parent)
        // First, because stale files may be what fills the disk.
        StaleTemporaries.remove(from: place.directory)
        return AtomicFile(directory: place.directory, name: place.name, area: .store)
    }

    /// Creates one of the store's directories, and checks that root may write to it. Another process may have created
    /// some of them just before.
    func makeTrusted(_ path: String, in parent: String) throws(StoreError) {
        try makeDirectories(path)
        try checkWay()
        for path in [directory, parent, path] { try checkDirectory(path) }
    }

    /// Creates a directory and its parents, as needed, writable only by this user.
    func makeDirectories(_ path: String) throws(StoreError) {
        guard path.withPath({ mkdir($0, 0o755) }) != 0 else { return }
        var code = errno
        if code == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try makeDirectories(String(path[..<slash]))
            guard path.withPath({ mkdir($0, 0o755) }) != 0 else { return }
            code = errno
        }
        // Some file systems return EROFS or EACCES even if the directory exists.
        var status = stat()
        if path.withPath({ stat($0, &status) }) == 0 {
            if status.st_mode & S_IFMT == S_IFDIR { return }
            code = ENOTDIR
        }
        throw .cannot(.makeDirectory, path: path, errno: code, in: .store)
    }
}
