import Glibc

/// A file that appears with all its bytes or not at all, in place of one that may be there.
struct AtomicFile {
    var directory: String
    var name: String
    /// For messages.
    var area: StoreError.Area
    /// Whether the bytes are on the disk before the name is seen.
    var isDurable: Bool

    private var path: String { directory + "/" + name }

    func replace(with bytes: UnsafeRawBufferPointer) throws(StoreError) {
        if try !replaceWithUnnamed(bytes) { try replaceWithNamed(bytes) }
        guard isDurable else { return }
        // Without it a power failure may bring back the file that was there before, or none.
        if let parent = Descriptor(opening: directory, O_RDONLY | O_DIRECTORY) { parent.synchronizeNames() }
    }

    /// Checks that files can be made there.
    func check() throws(StoreError) {
        let temporary = StaleTemporaries.newPath(in: directory)
        guard Descriptor(opening: temporary, O_CREAT | O_EXCL | O_WRONLY) != nil else {
            throw .cannot(.write, path: path, errno: errno, in: area)
        }
        unlink(temporary)
    }

    /// Through a file without a name, of which nothing stays when the process is killed.
    ///
    /// - Returns: false if that isn't possible here: the file system (or a kernel's overlayfs before 6.3) has no
    ///   `O_TMPFILE` or no hard links, or /proc isn't mounted. What else is wrong the named way will meet again.
    private func replaceWithUnnamed(_ bytes: UnsafeRawBufferPointer) throws(StoreError) -> Bool {
        // __O_TMPFILE of <asm-generic/fcntl.h>, which Glibc hides without _GNU_SOURCE.
        guard let file = Descriptor(opening: directory, 0o20000000 | O_DIRECTORY | O_WRONLY) else { return false }
        try fill(file, bytes)
        guard let code = file.link(as: path) else { return true }
        let temporary = StaleTemporaries.newPath(in: directory)
        guard code == EEXIST, file.link(as: temporary) == nil else { return false }
        try publish(temporary)
        return true
    }

    private func replaceWithNamed(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        let temporary = StaleTemporaries.newPath(in: directory)
        guard let file = Descriptor(opening: temporary, O_CREAT | O_EXCL | O_WRONLY) else {
            throw .cannot(.write, path: path, errno: errno, in: area)
        }
        do throws(StoreError) {
            try fill(file, bytes)
        } catch {
            unlink(temporary)
            throw error
        }
        try publish(temporary)
    }

    private func fill(_ file: borrowing Descriptor, _ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        if let code = file.write(bytes) { throw .cannot(.write, path: path, errno: code, in: area) }
        guard isDurable, let code = file.synchronize() else { return }
        throw .cannot(.write, path: path, errno: code, in: area)
    }

    private func publish(_ temporary: String) throws(StoreError) {
        guard rename(temporary, path) != 0 else { return }
        let code = errno
        unlink(temporary)
        throw .cannot(.replace, path: path, errno: code, in: area)
    }
}
