/// How much a single image may make us read and unpack.
///
/// Nothing in ELF forbids that sixty thousand section headers describe the same hundred megabytes, or that a few
/// kilobytes unpack to gigabytes, and a file's size may be holes. Real files do none of it, so the sums are bounded by
/// the bytes that the image really has.
struct Budget {
    /// Bytes of sections that may still be read. Real sections don't overlap, hence add up to less than the image;
    /// four times that leaves room for fakes that are merely odd, and for segments read beside sections.
    private(set) var readable: UInt64
    /// Bytes that may still come out of decompression. DWARF and symbol tables pack 3 to 10 times with zlib or xz;
    /// 64 times is beyond what real ones reach and far from the 1000 times (zlib) or 7000 times (xz) of a bomb.
    private(set) var unpackable: UInt64

    /// - Parameter imageSize: in bytes, without holes.
    init(imageSize: UInt64) {
        readable = 1 << 20 + 4 * min(imageSize, 1 << 60)
        unpackable = Self.unpackedLimit(packed: imageSize)
    }

    /// What `packed` bytes may unpack to.
    static func unpackedLimit(packed: UInt64) -> UInt64 {
        1 << 20 + 64 * min(packed, 1 << 56)
    }

    mutating func read(_ count: UInt64) -> Bool {
        guard count <= readable else { return false }
        readable -= count
        return true
    }

    mutating func unpack(_ count: UInt64) -> Bool {
        guard count <= unpackable else { return false }
        unpackable -= count
        return true
    }
}
