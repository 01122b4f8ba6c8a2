import Glibc

// lseek(2); <unistd.h> has them only with _GNU_SOURCE.
private let seekData: Int32 = 3
private let seekHole: Int32 = 4

extension stat {
    /// Bytes of the open file that are no holes, at least if holes make up nearly all of it; else its size.
    ///
    /// A file of a few blocks may claim terabytes, which read as zeros. (A file system that compresses has fewer
    /// blocks, too, and says where data is.)
    ///
    /// - Parameter descriptor: of the file that this is the status of.
    package func presentBytes(_ descriptor: Int32) -> UInt64 {
        let size = UInt64(clamping: st_size)
        guard size > UInt64(clamping: st_blocks) &* 512 &* 64, size > 1 << 20 else { return size }
        // What is in more pieces than that is not small.
        return dataBytes(descriptor, enough: size, pieceLimit: 65_536) ?? size
    }
}

/// Bytes of an open file that are no holes, from its start until there are `enough`, or `pieceLimit` pieces; nil if the
/// file system doesn't say. Takes time in proportion to the number of pieces.
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
