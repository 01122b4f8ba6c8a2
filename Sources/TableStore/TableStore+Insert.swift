import Files
import UnwindTable

extension TableStore {
    /// Inserts a table, replacing the one with the same key.
    ///
    /// Its bytes are on the disk before its name appears. With concurrent writers, each table is seen whole, and the
    /// last one remains.
    ///
    /// - Throws: ``StoreError/file(_:)``, leaving at most empty directories behind;
    ///   ``StoreError/invalidKey(byteCount:)``; ``StoreError/notTheTable(_:)`` if the header of `table` is damaged or
    ///   has another key.
    public func insert(_ table: UnsafeRawBufferPointer, key: TableSource.Key) throws(StoreError) {
        let target = try target(of: table, key: key)
        do throws(FileError) { try target.replace(with: table, isDurable: true) } catch { throw .file(error) }
    }

    /// Writes a table's bytes without making them visible or synchronizing them.
    func unseenFile(_ table: UnsafeRawBufferPointer, key: TableSource.Key) throws(StoreError) -> UnseenFile {
        let target = try target(of: table, key: key)
        do throws(FileError) { return try UnseenFile(target, table) } catch { throw .file(error) }
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
        TemporaryFiles.removeStale(from: place.directory)
        return atomicFile(place.directory, place.name)
    }

    /// Others can only read the store's files.
    func atomicFile(_ directory: String, _ name: String) -> AtomicFile {
        AtomicFile(directory: directory, name: name, mode: 0o644)
    }

    /// Creates one of the store's directories, and checks that root may write to it. Another process may have created
    /// some of them just before.
    func makeTrusted(_ path: String, in parent: String) throws(StoreError) {
        do throws(FileError) { try Directory.make(path) } catch { throw .file(error) }
        try checkWay()
        for path in [directory, parent, path] { try checkDirectory(path) }
    }
}
