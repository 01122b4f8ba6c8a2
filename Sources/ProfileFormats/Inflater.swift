import CZlib

/// Decompresses gzip (RFC 1952) that may be broken.
struct Inflater: ~Copyable {
    /// zlib keeps the address.
    private let stream: UnsafeMutablePointer<z_stream>

    struct OutOfMemory: Error {}

    init() throws(OutOfMemory) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // 31: the largest window, and gzip's header and trailer.
        let code = inflateInit2_(stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        if code != Z_OK { throw OutOfMemory() }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    enum Outcome { case more, end, broken }

    /// Goes on with `bytes`, as far as there is room in `piece`.
    func step(
        _ bytes: UnsafeBufferPointer<UInt8>, into piece: UnsafeMutableBufferPointer<UInt8>
    ) -> (outcome: Outcome, read: Int, written: Int) {
        // The stream counts in 32 bits.
        let count = min(bytes.count, 1 << 30)
        stream.pointee.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress)
        stream.pointee.avail_in = UInt32(count)
        stream.pointee.next_out = piece.baseAddress
        stream.pointee.avail_out = UInt32(piece.count)
        let code = inflate(stream, Z_NO_FLUSH)
        let (read, written) = (count - Int(stream.pointee.avail_in), piece.count - Int(stream.pointee.avail_out))
        switch code {
        case Z_STREAM_END: return (.end, read, written)
        case Z_OK where read > 0 || written > 0: return (.more, read, written)
        default: return (.broken, read, written)
        }
    }

    /// Begins again: several streams may follow each other.
    func reset() { inflateReset(stream) }
}
