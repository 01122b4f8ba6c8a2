import Glibc

/// Writes a file that readers see whole or not at all, and that replaces an existing one.
package struct AtomicFile {
    package let directory: String
    package let name: String
    /// Of a new file, before the umask is applied.
    let mode: mode_t
    /// Whether mode and owner are those of the file that is replaced.
    let keepsPermissions: Bool
    /// Nil for this process's own.
    let owner: Owner?

    /// A user and a group.
    package struct Owner: Equatable {
        package var user: uid_t
        package var group: gid_t
        package init(user: uid_t, group: gid_t) { (self.user, self.group) = (user, group) }
    }

    package init(
        directory: String, name: String, mode: mode_t = 0o666, keepsPermissions: Bool = false, owner: Owner? = nil
    ) {
        self.directory = directory
        self.name = name
        self.mode = mode
        self.keepsPermissions = keepsPermissions
        self.owner = owner
    }

    package var path: String { directory + "/" + name }

    /// Checks that a file can be created there.
    package func check() throws(FileError) { _ = try UnseenFile(self, UnsafeRawBufferPointer(start: nil, count: 0)) }

    /// - Parameter isDurable: whether to write the bytes to disk before the name appears, and the name before this
    ///   returns.
    package func replace(with bytes: UnsafeRawBufferPointer, isDurable: Bool) throws(FileError) {
        try UnseenFile(self, bytes).publish(isDurable: isDurable)
    }

    /// As ``replace(with:isDurable:)``, but `body` writes piece by piece, so that only one piece is in memory.
    ///
    /// - Throws: ``FileError``, or the error of `body`. An existing file then remains.
    package func replace(isDurable: Bool, _ body: (inout PieceOutput) throws -> Void) throws {
        let file = try UnseenFile(self, UnsafeRawBufferPointer(start: nil, count: 0))
        var output = PieceOutput(file.append)
        try body(&output)
        if let code = output.finish() { throw error(.write, code) }
        try file.publish(isDurable: isDurable)
    }

    fileprivate func error(_ action: FileError.Action, _ code: Int32) -> FileError {
        FileError(cannot: action, path: path, errno: code)
    }
}

/// A complete file that isn't visible under its name yet. Unless it is published, nothing of it remains.
package final class UnseenFile {
    private let target: AtomicFile
    private let file: Descriptor
    private var size: Int
    /// Its temporary name; nil for a file without a name, which disappears even if the process is killed.
    private var temporary: String?

    package convenience init(_ target: AtomicFile, _ bytes: UnsafeRawBufferPointer) throws(FileError) {
        try self.init(target, bytes, isNamed: false)
    }

    /// - Parameter isNamed: whether to give it a temporary name from the start.
    private init(_ target: AtomicFile, _ bytes: UnsafeRawBufferPointer, isNamed: Bool) throws(FileError) {
        self.target = target
        size = bytes.count
        // __O_TMPFILE of <asm-generic/fcntl.h>, which Glibc hides without _GNU_SOURCE. Some file systems don't support
        // it, including overlayfs before Linux 6.3.
        let flags = 0o20000000 | O_DIRECTORY | O_RDWR
        if !isNamed, let unnamed = Descriptor(opening: target.directory, flags, mode: target.mode) {
            file = unnamed
        } else {
            let path = TemporaryFiles.newPath(in: target.directory)
            guard let named = Descriptor(opening: path, O_CREAT | O_EXCL | O_RDWR, mode: target.mode) else {
                throw target.error(.write, errno)
            }
            file = named
            temporary = path
        }
        if target.keepsPermissions { file.takePermissions(of: target.path) }
        if let owner = target.owner, let code = file.give(to: owner) { throw target.error(.write, code) }
        if let code = file.write(bytes) { throw target.error(.write, code) }
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

    /// Gives it its name, replacing an existing file.
    ///
    /// - Parameter isDurable: whether to write the bytes to disk before the name appears, and the name before this
    ///   returns.
    package func publish(isDurable: Bool) throws(FileError) {
        if isDurable, let code = file.synchronize() { throw target.error(.write, code) }
        try giveName()
        guard isDurable else { return }
        // Without this, a power failure may bring back the previous file, or none.
        if let parent = Descriptor(opening: target.directory, O_RDONLY | O_DIRECTORY) { parent.synchronizeNames() }
    }

    private func giveName() throws(FileError) {
        if temporary == nil {
            guard let code = file.link(as: target.path) else { return }
            let name = TemporaryFiles.newPath(in: target.directory)
            if code == EEXIST, file.link(as: name) == nil { temporary = name } else { return try publishCopy() }
        }
        let path = target.path
        guard let name = temporary, name.withPath({ from in path.withPath { rename(from, $0) } }) != 0 else {
            temporary = nil
            return
        }
        throw target.error(.replace, errno)
    }

    /// Writes the bytes to a file with a temporary name, because this one can't be linked: there are no hard links, or
    /// /proc isn't mounted. Any other problem will occur with the copy again.
    private func publishCopy() throws(FileError) {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
        defer { bytes.deallocate() }
        if let code = file.read(into: bytes) { throw target.error(.write, code == 0 ? EIO : code) }
        let copy = try UnseenFile(target, UnsafeRawBufferPointer(bytes), isNamed: true)
        if let code = copy.file.synchronize() { throw target.error(.write, code) }
        try copy.giveName()
    }
}
