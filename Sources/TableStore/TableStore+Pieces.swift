import Files
import Glibc

extension TableStore {
    /// As ``write(_:to:)``, but `body` writes piece by piece, so that only one piece is in memory.
    ///
    /// - Throws: ``StoreError/cannot(_:path:errno:in:)``, or the error of `body`. An existing file then remains.
    package static func write(to path: String, _ body: (inout PieceOutput) throws -> Void) throws {
        func failure(_ code: Int32) -> StoreError { .cannot(.write, path: path, errno: code, in: .output) }
        func fill(_ put: @escaping (UnsafeRawBufferPointer) -> Int32?) throws {
            var output = PieceOutput(put)
            try body(&output)
            if let code = output.finish() { throw failure(code) }
        }
        if let number = descriptor(namedBy: path) { return try fill { Descriptor.write($0, to: number) } }
        var status = stat()
        let exists = path.withPath { stat($0, &status) } == 0
        if exists, status.st_mode & S_IFMT != S_IFREG {
            guard let file = OpenFile(path, O_WRONLY | O_NOCTTY) else { throw failure(errno) }
            return try fill { file.write($0) }
        }
        let target = exists ? resolved(path) : path
        let slash = target.lastIndex(of: "/")
        let directory = slash.map { $0 == target.startIndex ? "/" : String(target[..<$0]) } ?? "."
        let name = slash.map { target[target.index(after: $0)...] } ?? target[...]
        guard !name.isEmpty else { throw failure(EISDIR) }
        let file = try UnseenFile(
            AtomicFile(directory: directory, name: String(name), area: .output),
            UnsafeRawBufferPointer(start: nil, count: 0))
        try fill(file.append)
        try file.synchronize()
        try file.publish()
    }
}

/// A descriptor shared by closures.
private final class OpenFile {
    private let descriptor: Descriptor

    init?(_ path: String, _ flags: Int32) {
        guard let descriptor = Descriptor(opening: path, flags) else { return nil }
        self.descriptor = descriptor
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Int32? { descriptor.write(bytes) }
}

/// Writes bytes to a file in pieces of 64 KiB. After a failure, drops all further bytes.
package struct PieceOutput: ByteSink {
    private var piece: [UInt8] = []
    private var failure: Int32?
    private let put: (UnsafeRawBufferPointer) -> Int32?

    private static let pieceSize = 1 << 16

    /// - Parameter put: writes all bytes, and returns the `errno` or nil.
    init(_ put: @escaping (UnsafeRawBufferPointer) -> Int32?) {
        self.put = put
        piece.reserveCapacity(Self.pieceSize)
    }

    package mutating func write(_ bytes: UnsafeRawBufferPointer) {
        guard failure == nil else { return }
        piece.append(contentsOf: bytes)
        if piece.count >= Self.pieceSize { flush() }
    }

    private mutating func flush() {
        failure = piece.withUnsafeBytes { put($0) }
        piece.removeAll(keepingCapacity: true)
    }

    /// Writes the rest. Returns the `errno` of the first failure, or nil.
    mutating func finish() -> Int32? {
        if failure == nil, !piece.isEmpty { flush() }
        return failure
    }
}
