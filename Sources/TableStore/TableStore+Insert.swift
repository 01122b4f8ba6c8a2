import CUnwindTable
import Files
import Glibc
import UnwindTable

extension TableStore {
    /// Puts a table into the store, in place of what is there.
    ///
    /// Its bytes are on the disk before its name is seen. Of two writers at once each one's table is seen whole; the
    /// later one's stays.
    ///
    /// - Throws: ``StoreError/cannot(_:path:errno:in:)``, with nothing left behind but, perhaps, empty directories;
    ///   ``StoreError/invalidKey(byteCount:)``; ``StoreError/notTheTable(_:)`` if the header of `table` is damaged or
    ///   has another key.
    public func insert(_ table: UnsafeRawBufferPointer, key: TableSource.Key) throws(StoreError) {
        let target = try target(of: table, key: key)
        try target.replace(with: table, isDurable: true)
    }

    /// The same table with its bytes in the store, and not yet seen or on the disk.
    func unseenFile(_ table: UnsafeRawBufferPointer, key: TableSource.Key) throws(StoreError) -> UnseenFile {
        let target = try target(of: table, key: key)
        return try UnseenFile(target, table)
    }

    /// Where a table goes, in a directory that is there.
    private func target(of table: UnsafeRawBufferPointer, key: TableSource.Key) throws(StoreError) -> AtomicFile {
        do throws(NotCurrent) {
            let header = try WholeTable.header(of: table)
            guard header.key == key else { throw .otherKey }
        } catch {
            throw .notTheTable(error)
        }
        let place = try self.place(of: key)
        try makeTrusted(place.directory, in: place.parent)
        // First: they may be what fills the disk.
        StaleTemporaries.remove(from: place.directory)
        return AtomicFile(directory: place.directory, name: place.name, area: .store)
    }

    /// Makes one of the store's directories, and checks that root may write there: where some had yet to be made,
    /// others may have been faster.
    func makeTrusted(_ path: String, in parent: String) throws(StoreError) {
        try makeDirectories(path)
        try checkWay()
        for path in [directory, parent, path] { try checkDirectory(path) }
    }

    /// Makes a directory and those above it, which nobody else may write; none of them need be missing.
    func makeDirectories(_ path: String) throws(StoreError) {
        guard path.withPath({ mkdir($0, 0o755) }) != 0 else { return }
        var code = errno
        if code == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try makeDirectories(String(path[..<slash]))
            guard path.withPath({ mkdir($0, 0o755) }) != 0 else { return }
            code = errno
        }
        // Some file systems answer EROFS or EACCES before they look whether it exists.
        var status = stat()
        if path.withPath({ stat($0, &status) }) == 0 {
            if status.st_mode & S_IFMT == S_IFDIR { return }
            code = ENOTDIR
        }
        throw .cannot(.makeDirectory, path: path, errno: code, in: .store)
    }
}
