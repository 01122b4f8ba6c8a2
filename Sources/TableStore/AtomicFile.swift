import Files
import Glibc

/// Writes a file that readers see whole or not at all, and that replaces an existing one.
struct AtomicFile {
    var directory: String
    var name: String
    /// Used in error messages; also determines the mode.
    var area: StoreError.Area

    /// The file's mode before the umask is applied. Others can only read the store's files.
    var mode: mode_t { area == .store ? 0o644 : 0o666 }
    var path: String { directory + "/" + name }

    /// Checks that a file can be created there.
    func check() throws(StoreError) { _ = try UnseenFile(self, UnsafeRawBufferPointer(start: nil, count: 0)) }

    /// - Parameter isDurable: whether to write the bytes to disk before the name appears, and the name before this
    ///   returns.
    func replace(with bytes: UnsafeRawBufferPointer, isDurable: Bool) throws(StoreError) {
        let file = try UnseenFile(self, bytes)
        if isDurable { try file.synchronize() }
        try file.publish()
        guard isDurable else { return }
        // Without this, a power failure may bring back the previous file, or none.
        if let parent = Descriptor(opening: directory, O_RDONLY | O_DIRECTORY) { parent.synchronizeNames() }
    }
}

/// A complete file that isn't visible under its name yet. Unless it is published, nothing of it remains.
final class UnseenFile {
    private let target: AtomicFile
    private let file: Descriptor
    private var size: Int
    /// Its temporary name; nil for a file without a name, which disappears even if the process is killed.
    private var temporary: String?

    /// - Parameter isNamed: whether to give it a temporary name from the start.
    init(_ target: AtomicFile, _ bytes: UnsafeRawBufferPointer, isNamed: Bool = false) throws(StoreError) {
        self.target = target
        size = bytes.count
        // __O_TMPFILE of <asm-generic/fcntl.h>, which Glibc hides without _GNU_SOURCE. Some file systems don't support
        // it, including overlayfs before Linux 6.3.
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

    /// Appends bytes.
    ///
    /// - Returns: the `errno` of `write(2)`, or nil.
    func append(_ bytes: UnsafeRawBufferPointer) -> Int32? {
        size += bytes.count
        return file.write(bytes)
    }

    func synchronize() throws(StoreError) {
        guard let code = file.synchronize() else { return }
        throw .cannot(.write, path: target.path, errno: code, in: target.area)
    }

    /// Gives it its name, replacing an existing file.
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

    /// Writes the bytes to a file with a temporary name, because this one can't be linked: there are no hard links, or
    /// /proc isn't mounted. Any other problem will occur with the copy again.
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
