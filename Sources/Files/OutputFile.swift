import Glibc

/// Writes to files that the user named.
///
/// Readers see a regular file whole or not at all. For a symbolic link, its target is replaced. If the path isn't a
/// regular file (a pipe, /dev/null, /dev/stdout), the bytes are written to it directly.
package enum OutputFile {
    /// Writes all bytes to `path`.
    package static func write(_ bytes: UnsafeRawBufferPointer, to path: String) throws(FileError) {
        let code: Int32?
        switch try Destination(path) {
        case .descriptor(let number): code = Descriptor.write(bytes, to: number)
        case .special: code = try open(path).write(bytes)
        case .file(let file): return try file.replace(with: bytes, isDurable: true)
        }
        if let code { throw FileError(cannot: .write, path: path, errno: code) }
    }

    /// As ``write(_:to:)``, but `body` writes piece by piece, so that only one piece is in memory.
    ///
    /// - Parameter isDurable: whether a regular file is on the disk when this returns.
    /// - Throws: ``FileError``, or the error of `body`. An existing file then remains.
    package static func write(
        to path: String, isDurable: Bool = true, _ body: (inout PieceOutput) throws -> Void
    ) throws {
        func fill(_ put: @escaping (UnsafeRawBufferPointer) -> Int32?) throws {
            var output = PieceOutput(put)
            try body(&output)
            if let code = output.finish() { throw FileError(cannot: .write, path: path, errno: code) }
        }
        switch try Destination(path) {
        case .descriptor(let number): try fill { Descriptor.write($0, to: number) }
        case .special:
            let file = Shared(try open(path))
            try fill { file.descriptor.write($0) }
        case .file(let target): try target.replace(isDurable: isDurable, body)
        }
    }

    /// Checks that ``write(_:to:)`` can start, before long work whose result it will write.
    package static func checkWritable(_ path: String) throws(FileError) {
        func check(_ isWritable: Bool, _ code: @autoclosure () -> Int32) throws(FileError) {
            if !isWritable { throw FileError(cannot: .write, path: path, errno: code()) }
        }
        switch try Destination(path) {
        case .descriptor(let number):
            let flags = fcntl(number, F_GETFL)
            try check(flags >= 0, errno)
            try check(flags & O_ACCMODE != O_RDONLY, EBADF)
        case .special(let kind):
            try check(kind != S_IFDIR, EISDIR)
            // Opening a FIFO would fail without a reader.
            try check(path.withPath { access($0, W_OK) } == 0, errno)
        case .file(let file): try file.check()
        }
    }

    private static func open(_ path: String) throws(FileError) -> Descriptor {
        guard let file = Descriptor(opening: path, O_WRONLY | O_NOCTTY) else {
            throw FileError(cannot: .write, path: path, errno: errno)
        }
        return file
    }

    /// A descriptor shared by closures.
    private final class Shared {
        let descriptor: Descriptor
        init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
    }
}

/// The destination of an output path.
private enum Destination {
    /// The descriptor that a name such as /dev/stdout stands for. It is written to directly: opening the name could
    /// fail, and for a regular file it would start again at the beginning.
    case descriptor(Int32)
    /// Something other than a regular file, with its `S_IF…`.
    case special(mode_t)
    case file(AtomicFile)

    init(_ path: String) throws(FileError) {
        if let number = Self.descriptor(namedBy: path) {
            self = .descriptor(number)
            return
        }
        var status = stat()
        let exists = path.withPath { stat($0, &status) } == 0
        if exists, status.st_mode & S_IFMT != S_IFREG {
            self = .special(status.st_mode & S_IFMT)
            return
        }
        let target = exists ? Self.resolved(path) : path
        let slash = target.lastIndex(of: "/")
        let name = slash.map { target[target.index(after: $0)...] } ?? target[...]
        guard !name.isEmpty else { throw FileError(cannot: .write, path: path, errno: EISDIR) }
        let directory = slash.map { $0 == target.startIndex ? "/" : String(target[..<$0]) } ?? "."
        self = .file(AtomicFile(directory: directory, name: String(name), keepsPermissions: true))
    }

    private static func descriptor(namedBy path: String) -> Int32? {
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
    private static func resolved(_ path: String) -> String {
        var status = stat()
        guard path.withPath({ lstat($0, &status) }) == 0, status.st_mode & S_IFMT == S_IFLNK else { return path }
        guard let target = path.withPath({ realpath($0, nil) }) else { return path }
        defer { free(target) }
        return String(path: target)
    }
}

/// Passes on bytes in pieces of 64 KiB. After a failure, drops all further bytes.
package struct PieceOutput: ByteSink {
    private var piece: [UInt8] = []
    private var failure: Int32?
    private let put: (UnsafeRawBufferPointer) -> Int32?

    private static let pieceSize = 1 << 16

    /// - Parameter put: writes all bytes, and returns the `errno` or nil.
    package init(_ put: @escaping (UnsafeRawBufferPointer) -> Int32?) {
        self.put = put
        piece.reserveCapacity(Self.pieceSize)
    }

    package mutating func write(_ bytes: UnsafeRawBufferPointer) {
        guard failure == nil else { return }
        if bytes.count >= Self.pieceSize {
            // It is large enough as it is.
            if !piece.isEmpty { flush() }
            if failure == nil { failure = put(bytes) }
            return
        }
        piece.append(contentsOf: bytes)
        if piece.count >= Self.pieceSize { flush() }
    }

    private mutating func flush() {
        failure = piece.withUnsafeBytes { put($0) }
        piece.removeAll(keepingCapacity: true)
    }

    /// Writes the rest. Returns the `errno` of the first failure, or nil.
    package mutating func finish() -> Int32? {
        if failure == nil, !piece.isEmpty { flush() }
        return failure
    }
}
