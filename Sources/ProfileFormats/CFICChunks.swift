import CZlib
import Files

/// What .cfic files begin with, and how the rest is cut: docs/profile-format.md, "Chunks".
enum CFICFile {
    /// No text has these bytes, and what converts line ends changes them.
    static let magic: [UInt8] = [0x89, 0x43, 0x46, 0x49, 0x43, 0x0d, 0x0a, 0x1a]
    static let version: UInt32 = 1
    /// The magic and the version.
    static let headerSize = 12
    /// Two numbers of 32 bits: the size in the file, the size of the contents.
    static let chunkHeaderSize = 8
    /// After a chunk.
    static let checksumSize = 4
    /// The most contents of a chunk.
    static let chunkLimit = 1 << 18
    /// The most bytes of contents for each byte in the file: what readers may have to allocate.
    static let expansionLimit = 64

    static var header: [UInt8] { magic + Self.bytes(version) }

    static func bytes(_ number: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) } }

    /// The checksum of bytes that follow others.
    static func checksum(_ bytes: UnsafeRawBufferPointer, after checksum: UInt32) -> UInt32 {
        // With no address, zlib begins again.
        bytes.isEmpty
            ? checksum
            : UInt32(
                truncatingIfNeeded: crc32(
                    UInt(checksum), bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt32(bytes.count)))
    }
}

/// Makes a .cfic file: numbers and texts, cut into compressed chunks. Numbers are as in ``ChunkReader``.
///
/// The file is in memory until it is taken, because it is small, and a generic output would be called for each number.
struct ChunkWriter: ~Copyable {
    private let deflater: Deflater
    /// What was added since the last chunk.
    private var contents: [UInt8] = []
    private var checksum: UInt32
    private var file = CFICFile.header

    /// - Throws: ``GzipSink/OutOfMemory``
    init() throws(GzipSink.OutOfMemory) {
        deflater = try Deflater()
        contents.reserveCapacity(CFICFile.chunkLimit + 64)
        checksum = CFICFile.header.withUnsafeBytes { CFICFile.checksum($0, after: 0) }
    }

    mutating func number(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            contents.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        contents.append(UInt8(rest))
    }

    mutating func number(_ value: Int) { number(UInt64(value)) }

    /// A number that may be negative: zigzag.
    mutating func signed(_ value: Int64) { number(UInt64(bitPattern: value << 1 ^ value >> 63)) }

    mutating func double(_ value: Double) {
        for shift in 0..<8 { contents.append(UInt8(truncatingIfNeeded: value.bitPattern >> (shift * 8))) }
    }

    /// The bytes of a text, without their number.
    mutating func text(_ text: String) { contents.append(contentsOf: text.utf8) }

    /// Call it often enough that little is not compressed.
    @inline(__always)
    mutating func flushIfLong() { if contents.count >= CFICFile.chunkLimit { flush() } }

    private mutating func flush() {
        var start = 0
        while contents.count - start >= CFICFile.chunkLimit {
            add(start..<(start + CFICFile.chunkLimit))
            start += CFICFile.chunkLimit
        }
        contents.removeFirst(start)
    }

    /// Adds a chunk with a part of the contents.
    private mutating func add(_ range: Range<Int>) {
        // Valid until the next call.
        let stored = contents.withUnsafeBytes { deflater.deflate(UnsafeRawBufferPointer(rebasing: $0[range])) }
        add(stored, size: range.count)
    }

    private mutating func add(_ stored: UnsafeRawBufferPointer, size: Int) {
        let start = file.count
        file += CFICFile.bytes(UInt32(stored.count)) + CFICFile.bytes(UInt32(size))
        file += stored
        checksum = file[start...].withUnsafeBytes { CFICFile.checksum($0, after: checksum) }
        file += CFICFile.bytes(checksum)
    }

    /// The whole file. Nothing can be added afterwards.
    mutating func take() -> [UInt8] {
        flush()
        if !contents.isEmpty { add(contents.indices) }
        add(UnsafeRawBufferPointer(start: nil, count: 0), size: 0)
        return file
    }
}

/// Compresses chunks: raw DEFLATE (RFC 1951).
private struct Deflater: ~Copyable {
    private let stream: UnsafeMutablePointer<z_stream>
    private let result: UnsafeMutableRawBufferPointer

    init() throws(GzipSink.OutOfMemory) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let code = deflateInit2_(
            stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        let size = code == Z_OK ? Int(deflateBound(stream, UInt(CFICFile.chunkLimit))) : 1
        result = .allocate(byteCount: size, alignment: 16)
        if code != Z_OK { throw GzipSink.OutOfMemory() }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
        result.deallocate()
    }

    /// - Returns: valid until the next call.
    func deflate(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let stored = deflate(bytes, Z_DEFAULT_STRATEGY)
        // Readers refuse what expands too much. Without matches of earlier bytes, it can't by more than a factor of 8.
        return stored.count * CFICFile.expansionLimit >= bytes.count ? stored : deflate(bytes, Z_HUFFMAN_ONLY)
    }

    private func deflate(_ bytes: UnsafeRawBufferPointer, _ strategy: Int32) -> UnsafeRawBufferPointer {
        deflateReset(stream)
        stream.pointee.next_out = result.baseAddress!.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(result.count)
        stream.pointee.avail_in = 0
        deflateParams(stream, Z_DEFAULT_COMPRESSION, strategy)
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(bytes.count)
        // It can't fail: the state is valid, and the result has room for the worst case.
        _ = CZlib.deflate(stream, Z_FINISH)
        return UnsafeRawBufferPointer(rebasing: result[..<(result.count - Int(stream.pointee.avail_out))])
    }
}

/// Reads a .cfic file's numbers and texts. It may be hostile: no chunk is larger than the limits, and nothing is taken for
/// granted.
struct ChunkReader {
    private let file: [UInt8]
    /// In the file: the next chunk, and the one before, whose contents these are.
    private var next = CFICFile.headerSize, chunk = CFICFile.headerSize
    private var contents: [UInt8] = []
    private var position = 0
    private var checksum: UInt32
    private var isAtEnd = false

    /// Checks the header.
    init(_ file: [UInt8]) throws(ProfileProblem) {
        guard file.starts(with: CFICFile.magic) else { throw ProfileProblem("not a profile of cfic", at: 0) }
        guard file.count >= CFICFile.headerSize else { throw ProfileProblem("the file is cut off", at: file.count) }
        let version = Self.number32(file, CFICFile.magic.count)
        guard version == CFICFile.version else {
            throw ProfileProblem(
                "version \(version) of the format; this cfic reads version \(CFICFile.version)",
                at: CFICFile.magic.count)
        }
        self.file = file
        checksum = file[..<CFICFile.headerSize].withUnsafeBytes { CFICFile.checksum($0, after: 0) }
    }

    private static func number32(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << ($1 * 8) }
    }

    /// Where the file is wrong, if its contents are: the chunk.
    func problem(_ text: String) -> ProfileProblem {
        ProfileProblem("\(text) (\(position) bytes into the chunk)", at: chunk)
    }

    /// Reads the next chunk.
    private mutating func advance() throws(ProfileProblem) {
        guard !isAtEnd else { throw problem("the contents end too early") }
        chunk = next
        guard file.count - next >= CFICFile.chunkHeaderSize else {
            throw ProfileProblem("the file is cut off", at: file.count)
        }
        let stored = Int(Self.number32(file, next)), count = Int(Self.number32(file, next + 4))
        let start = next + CFICFile.chunkHeaderSize
        guard stored <= file.count - start - CFICFile.checksumSize else {
            throw ProfileProblem("the file is cut off", at: file.count)
        }
        next = start + stored
        checksum = file[chunk..<next].withUnsafeBytes { CFICFile.checksum($0, after: checksum) }
        guard checksum == Self.number32(file, next) else { throw ProfileProblem("the checksum is wrong", at: chunk) }
        next += CFICFile.checksumSize
        guard count <= CFICFile.chunkLimit, count <= stored * CFICFile.expansionLimit, (count == 0) == (stored == 0)
        else { throw ProfileProblem("a chunk of \(count) bytes in \(stored) is out of bounds", at: chunk) }
        contents = try inflated(start..<(start + stored), count)
        (position, isAtEnd) = (0, count == 0)
    }

    private func inflated(_ range: Range<Int>, _ count: Int) throws(ProfileProblem) -> [UInt8] {
        if count == 0 { return [] }
        guard let inflater = try? Inflater(.raw) else { throw ProfileProblem("not enough memory to decompress it") }
        var isWhole = false
        let result = [UInt8](unsafeUninitializedCapacity: count) { result, filled in
            file.withUnsafeBufferPointer { file in
                let (outcome, read, written) = inflater.step(
                    UnsafeBufferPointer(rebasing: file[range]),
                    into: UnsafeMutableBufferPointer(rebasing: result[..<count]))
                filled = written
                isWhole = outcome == .end && read == range.count && written == count
            }
        }
        guard isWhole else { throw ProfileProblem("the chunk can't be decompressed", at: chunk) }
        return result
    }

    @inline(__always)
    mutating func byte() throws(ProfileProblem) -> UInt8 {
        while position == contents.count { try advance() }
        defer { position += 1 }
        return contents[position]
    }

    /// Seven bits a byte, the lowest first; all bytes but the last have the highest bit set.
    ///
    /// - Parameters:
    ///   - limit: the largest number that is allowed.
    ///   - what: names it in errors.
    mutating func number(
        upTo limit: UInt64 = .max, _ what: @autoclosure () -> String
    ) throws(ProfileProblem) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            let byte = try byte()
            if shift == 63, byte > 1 { break }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 {
                if value > limit { throw problem("\(what()) \(value) is out of bounds") }
                return value
            }
        }
        throw problem("\(what()) is longer than 64 bits")
    }

    /// A number less than `count`.
    mutating func index(below count: Int, _ what: @autoclosure () -> String) throws(ProfileProblem) -> UInt32 {
        let value = try number(what())
        guard value < count else { throw problem("\(what()) \(value) is out of bounds") }
        return UInt32(value)
    }

    /// A number that may be negative: 0, -1, 1, -2 … are 0, 1, 2, 3 ….
    mutating func signed(_ what: @autoclosure () -> String) throws(ProfileProblem) -> Int64 {
        let value = try number(what())
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    mutating func double() throws(ProfileProblem) -> Double {
        var bits: UInt64 = 0
        for shift in 0..<8 { bits |= UInt64(try byte()) << (shift * 8) }
        return Double(bitPattern: bits)
    }

    /// UTF-8 of this many bytes.
    mutating func text(_ count: Int) throws(ProfileProblem) -> String {
        var bytes: [UInt8] = []
        for _ in 0..<count { bytes.append(try byte()) }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw problem("a name is not UTF-8") }
        return text
    }

    /// Checks that all was read, and that the file ends here.
    mutating func finish() throws(ProfileProblem) {
        guard position == contents.count else { throw problem("there are contents behind the end") }
        try advance()
        guard isAtEnd else { throw problem("there are contents behind the end") }
        guard next == file.count else { throw ProfileProblem("there are bytes behind the end", at: next) }
    }
}
