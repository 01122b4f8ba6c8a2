/// Limits how much we read and unpack for one image.
///
/// ELF allows sixty thousand section headers for the same hundred megabytes, a few kilobytes that unpack to gigabytes,
/// and files whose size is mostly holes. Real files do none of this, so the totals are limited in proportion to the
/// bytes that the image really has.
struct Budget {
    /// Bytes of sections that may still be read. Real sections don't overlap, so they add up to less than the image.
    /// Four times as much allows for odd but harmless files, and for segments read in addition to sections.
    private(set) var readable: UInt64
    /// Bytes that decompression may still produce. DWARF and symbol tables shrink 3 to 10 times with zlib or xz. 64
    /// times is more than real ones reach, and far below a bomb's 1,000 times (zlib) or 7,000 times (xz).
    private(set) var unpackable: UInt64

    /// - Parameter imageSize: in bytes, without holes.
    init(imageSize: UInt64) {
        readable = 1 << 20 + 4 * min(imageSize, 1 << 60)
        unpackable = Self.unpackedLimit(packed: imageSize)
    }

    /// The most bytes that `packed` bytes may unpack to.
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
