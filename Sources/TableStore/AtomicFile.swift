import Files
import Glibc

/// A file that appears with all its bytes or not at all, in place of one that may be there.
struct AtomicFile {
    var directory: String
    var name: String
    /// For messages.
    var area: StoreError.Area

    /// What the umask leaves of it is the file's: of the store's files nothing to others but reading.
    var mode: mode_t { area == .store ? 0o644 : 0o666 }
    var path: String { directory + "/" + name }

    /// Checks that files can be made there.
    func check() throws(StoreError) { _ = try UnseenFile(self, UnsafeRawBufferPointer(start: nil, count: 0)) }

    /// - Parameter isDurable: whether the bytes are on the disk before the name is seen, and the name when this
    /// returns.
    func replace(with bytes: UnsafeRawBufferPointer, isDurable: Bool) throws(StoreError) {
        let file = try UnseenFile(self, bytes)
        if isDurable { try file.synchronize() }
        try file.publish()
        guard isDurable else { return }
        // Without it a power failure may bring back the file that was there before, or none.
        if let parent = Descriptor(opening: directory, O_RDONLY | O_DIRECTORY) { parent.synchronizeNames() }
    }
}

/// A file with all its bytes, before its name is seen. If that never comes, nothing of it stays.
final class UnseenFile {
    private let target: AtomicFile
    private let file: Descriptor
    private var size: Int
    /// Its name until then; nil of a file that has none, of which nothing stays even if the process is killed.
    private var temporary: String?

    /// - Parameter isNamed: whether it has a temporary name from the start.
    init(_ target: AtomicFile, _ bytes: UnsafeRawBufferPointer, isNamed: Bool = false) throws(StoreError) {
        self.target = target
        size = bytes.count
        // __O_TMPFILE of <asm-generic/fcntl.h>, which Glibc hides without _GNU_SOURCE. Not every file system has it,
        // nor a kernel's overlayfs before 6.3.
        let flags = 0o20000000 | O_DIRECTORY | O_RDWR
        if !isNamed, let unnamed = Descriptor(opening: target.directory, flags, mode: target.mode) {
            file = unnamed
        } else {
            let path = StaleTemporaries.newPath(in: target.directory)
            guard let named = Descriptor(opening: path, O_CREAT | O_EXCL | O_RDWR, mode: target.mode) else {
                throw .cannot(.write, path: target.path, errno: errno, in: target.area)
            }
            file = named
            temporary = path
        }
        if target.area == .output { file.takePermissions(of: target.path) }
        if let code = file.write(bytes) { throw .cannot(.write, path: target.path, errno: code, in: target.area) }
    }

    deinit {
        if let temporary { temporary.withPath { _ = unlink($0) } }
    }

    /// - Returns: the `errno` of `write(2)`, or nil.
    func append(_ bytes: UnsafeRawBufferPointer) -> Int32? {
        size += bytes.count
        return file.write(bytes)
    }

    func synchronize() throws(StoreError) {
        guard let code = file.synchronize() else { return }
        throw .cannot(.write, path: target.path, errno: code, in: target.area)
    }

    /// Gives it its name, in place of what has it.
    func publish() throws(StoreError) {
        if temporary == nil {
            guard let code = file.link(as: target.path) else { return }
            let name = StaleTemporaries.newPath(in: target.directory)
            if code == EEXIST, file.link(as: name) == nil { temporary = name } else { return try publishCopy() }
        }
        let path = target.path
        guard let name = temporary, name.withPath({ from in path.withPath { rename(from, $0) } }) != 0 else {
            temporary = nil
            return
        }
        throw .cannot(.replace, path: target.path, errno: errno, in: target.area)
    }

    /// Where a file without a name can't be given one: there are no hard links, or /proc isn't mounted. What else is
    /// wrong, a file with a name will meet again.
    private func publishCopy() throws(StoreError) {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
        defer { bytes.deallocate() }
        if let code = file.read(into: bytes) {
            throw .cannot(.write, path: target.path, errno: code == 0 ? EIO : code, in: target.area)
        }
        let copy = try UnseenFile(target, UnsafeRawBufferPointer(bytes), isNamed: true)
        try copy.synchronize()
        try copy.publish()
    }
}
