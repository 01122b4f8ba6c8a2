import Files
import UnwindTable

extension TableStore {
    /// Puts a table into the store, in place of what is there.
    ///
    /// Its bytes are on the disk before its name is seen. Of two writers at once each one's table is seen whole; the
    /// later one's stays.
    ///
    /// - Throws: ``StoreError/file(_:)``, with nothing left behind but, perhaps, empty directories;
    ///   ``StoreError/invalidKey(byteCount:)``; ``StoreError/notTheTable(_:)`` if the header of `table` is damaged or
    ///   has another key.
    public func insert(_ table: UnsafeRawBufferPointer, key: TableSource.Key) throws(StoreError) {
        let target = try target(of: table, key: key)
        do throws(FileError) { try target.replace(with: table, isDurable: true) } catch { throw .file(error) }
    }

    /// The same table with its bytes in the store, and not yet seen or on the disk.
    func unseenFile(_ table: UnsafeRawBufferPointer, key: TableSource.Key) throws(StoreError) -> UnseenFile {
        let target = try target(of: table, key: key)
        do throws(FileError) { return try UnseenFile(target, table) } catch { throw .file(error) }
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
        TemporaryFiles.removeStale(from: place.directory)
        return atomicFile(place.directory, place.name)
    }

    /// What the umask leaves of its mode gives others nothing but reading.
    func atomicFile(_ directory: String, _ name: String) -> AtomicFile {
        AtomicFile(directory: directory, name: name, mode: 0o644)
    }

    /// Makes one of the store's directories, and checks that root may write there: where some had yet to be made,
    /// others may have been faster.
    func makeTrusted(_ path: String, in parent: String) throws(StoreError) {
        do throws(FileError) { try Directory.make(path) } catch { throw .file(error) }
        try checkWay()
        for path in [directory, parent, path] { try checkDirectory(path) }
    }
}
