import Glibc

// From lseek(2); <unistd.h> declares them only with _GNU_SOURCE.
private let seekData: Int32 = 3
private let seekHole: Int32 = 4

extension stat {
    /// Bytes of the open file that are not in holes, if holes make up nearly all of it; else its size.
    ///
    /// A file of a few blocks may claim terabytes, which read as zeros. (On a file system that compresses, a file has
    /// fewer blocks, too, but the system tells where its data is.)
    ///
    /// - Parameter descriptor: of the same open file.
    package func presentBytes(_ descriptor: Int32) -> UInt64 {
        let size = UInt64(clamping: st_size)
        guard size > UInt64(clamping: st_blocks) &* 512 &* 64, size > 1 << 20 else { return size }
        // A file with more pieces than this isn't small.
        return dataBytes(descriptor, enough: size, pieceLimit: 65_536) ?? size
    }
}

/// Counts the bytes of an open file that are data, not holes, up to `enough` bytes or `pieceLimit` pieces; nil if the
/// file system can't tell. Takes time in proportion to the number of pieces.
func dataBytes(_ descriptor: Int32, enough: UInt64, pieceLimit: Int = .max) -> UInt64? {
    var count: UInt64 = 0
    var offset: off_t = 0
    var pieces = 0
    while count < enough, pieces < pieceLimit {
        let start = lseek(descriptor, offset, seekData)
        if start < 0 { return errno == ENXIO ? count : nil }
        offset = lseek(descriptor, start, seekHole)
        guard offset > start else { return nil }
        count += UInt64(offset - start)
        pieces += 1
    }
    return count
}
