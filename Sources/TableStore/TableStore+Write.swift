import Files
import Glibc

extension TableStore {
    /// Writes a table to a file that the user named. Readers see it whole or not at all.
    ///
    /// A symbolic link is followed and its target replaced. If the path isn't a regular file (a pipe, /dev/null,
    /// /dev/stdout wherever it leads), the bytes are written into it.
    ///
    /// - Throws: ``StoreError/cannot(_:path:errno:in:)``
    public static func write(_ bytes: UnsafeRawBufferPointer, to path: String) throws(StoreError) {
        if let number = descriptor(namedBy: path) {
            guard let code = Descriptor.write(bytes, to: number) else { return }
            throw .cannot(.write, path: path, errno: code, in: .output)
        }
        var status = stat()
        let exists = path.withPath { stat($0, &status) } == 0
        if exists, status.st_mode & S_IFMT != S_IFREG { return try writeInto(path, bytes) }
        let target = exists ? resolved(path) : path
        guard let slash = target.lastIndex(of: "/") else { return try replace(".", target, bytes) }
        let directory = slash == target.startIndex ? "/" : String(target[..<slash])
        try replace(directory, String(target[target.index(after: slash)...]), bytes)
    }

    /// Checks that ``write(_:to:)`` can start, before long work whose result it will write.
    ///
    /// - Throws: ``StoreError/cannot(_:path:errno:in:)``
    package static func checkWritable(_ path: String) throws(StoreError) {
        func failure(_ code: Int32) -> StoreError { .cannot(.write, path: path, errno: code, in: .output) }
        if let number = descriptor(namedBy: path) {
            let flags = fcntl(number, F_GETFL)
            if flags < 0 { throw failure(errno) }
            if flags & O_ACCMODE == O_RDONLY { throw failure(EBADF) }
            return
        }
        var status = stat()
        let exists = path.withPath { stat($0, &status) } == 0
        if exists, status.st_mode & S_IFMT == S_IFDIR { throw failure(EISDIR) }
        if exists, status.st_mode & S_IFMT != S_IFREG {
            // Opening a FIFO would fail without a reader.
            if path.withPath({ access($0, W_OK) }) != 0 { throw failure(errno) }
            return
        }
        let target = exists ? resolved(path) : path
        let slash = target.lastIndex(of: "/")
        let name = slash.map { target[target.index(after: $0)...] } ?? target[...]
        if name.isEmpty { throw failure(EISDIR) }
        let directory = slash.map { $0 == target.startIndex ? "/" : String(target[..<$0]) } ?? "."
        try AtomicFile(directory: directory, name: String(name), area: .output).check()
    }

    /// Writes all bytes to a descriptor, waiting if it is non-blocking and full.
    ///
    /// - Returns: the `errno` of `write(2)`, or nil.
    package static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int32? {
        Descriptor.write(bytes, to: descriptor)
    }

    private static func replace(
        _ directory: String, _ name: String, _ bytes: UnsafeRawBufferPointer
    ) throws(StoreError) {
        let path = directory + "/" + name
        guard !name.isEmpty else { throw .cannot(.write, path: path, errno: EISDIR, in: .output) }
        try AtomicFile(directory: directory, name: name, area: .output)
            .replace(with: bytes, isDurable: true)
    }

    private static func writeInto(_ path: String, _ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        guard let file = Descriptor(opening: path, O_WRONLY | O_NOCTTY) else {
            throw .cannot(.write, path: path, errno: errno, in: .output)
        }
        guard let code = file.write(bytes) else { return }
        throw .cannot(.write, path: path, errno: code, in: .output)
    }

    /// The descriptor that a name such as /dev/stdout stands for. It is written to directly: opening the name could
    /// fail, and for a regular file it would start again at the beginning.
    static func descriptor(namedBy path: String) -> Int32? {
        switch path {
        case "/dev/stdout": return STDOUT_FILENO
        case "/dev/stderr": return STDERR_FILENO
        default: break
        }
        for prefix in ["/dev/fd/", "/proc/self/fd/"] where path.hasPrefix(prefix) {
            return Int32(path.dropFirst(prefix.utf8.count))
        }
        return nil
    }

    /// `path` with symbolic links resolved, if it is one itself; otherwise unchanged.
    static func resolved(_ path: String) -> String {
        var status = stat()
        guard path.withPath({ lstat($0, &status) }) == 0, status.st_mode & S_IFMT == S_IFLNK else { return path }
        guard let target = path.withPath({ realpath($0, nil) }) else { return path }
        defer { free(target) }
        return String(path: target)
    }
}
