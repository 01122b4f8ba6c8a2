import CZlib
import Files

/// Compresses what it receives by gzip (RFC 1952), and passes it on.
///
/// The result depends on nothing but the bytes: the header has neither a name nor a time.
struct GzipSink: ~Copyable {
    /// No memory for compression.
    struct OutOfMemory: Error, CustomStringConvertible {
        var description: String { "not enough memory to compress the profile" }
    }

    private let stream: UnsafeMutablePointer<z_stream>
    private let piece: UnsafeMutableRawBufferPointer

    /// - Parameter level: zlib's, from 1, the fastest, to 9.
    /// - Throws: ``OutOfMemory``
    init(level: Int32 = Z_DEFAULT_COMPRESSION) throws(OutOfMemory) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        piece = .allocate(byteCount: 1 << 16, alignment: 16)
        // 31: the largest window, and gzip's header and trailer.
        let code = deflateInit2_(
            stream, level, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        if code != Z_OK { throw OutOfMemory() }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
        piece.deallocate()
    }

    func write(_ bytes: UnsafeRawBufferPointer, to output: inout some ByteSink) {
        var rest = bytes
        while !rest.isEmpty {
            // The stream counts in 32 bits.
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(part.count))
            deflate(part, flush: Z_NO_FLUSH, to: &output)
        }
    }

    /// Writes what is left, and the end. Nothing can be written afterwards.
    func finish(to output: inout some ByteSink) {
        deflate(UnsafeRawBufferPointer(start: nil, count: 0), flush: Z_FINISH, to: &output)
    }

    private func deflate(_ bytes: UnsafeRawBufferPointer, flush: Int32, to output: inout some ByteSink) {
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(bytes.count)
        repeat {
            stream.pointee.next_out = piece.baseAddress!.assumingMemoryBound(to: UInt8.self)
            stream.pointee.avail_out = UInt32(piece.count)
            // It can't fail with a valid stream. `Z_BUF_ERROR` says that there was nothing to do.
            _ = CZlib.deflate(stream, flush)
            let count = piece.count - Int(stream.pointee.avail_out)
            output.write(UnsafeRawBufferPointer(rebasing: piece[..<count]))
        } while stream.pointee.avail_out == 0
    }
}
