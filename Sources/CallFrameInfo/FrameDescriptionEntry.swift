/// An FDE: a range of code and the instructions that build its rows (DWARF 5 §6.4.1).
public struct FrameDescriptionEntry: Sendable {
    /// Offset in the section.
    public var offset: Int
    /// Offset of the entry's end (exclusive).
    public var end: Int
    /// SVMA of the first byte that the FDE covers.
    public var start: UInt64
    /// Number of bytes that the FDE covers.
    public var length: UInt64
    /// Augmentation data ('z').
    public var augmentationData: Range<Int>
    public var instructions: Range<Int>

    @inlinable
    init(
        offset: Int, end: Int, start: UInt64, length: UInt64, augmentationData: Range<Int>, instructions: Range<Int>
    ) {
        self.offset = offset
        self.end = end
        self.start = start
        self.length = length
        self.augmentationData = augmentationData
        self.instructions = instructions
    }

    /// SVMA of the end (exclusive); saturates at the end of the address space.
    @inlinable public var limit: UInt64 {
        let (sum, overflow) = start.addingReportingOverflow(length)
        return overflow ? .max : sum
    }
}

extension FrameSection {
    /// Reads the rest of the FDE with this header; its CIE gives the encoding.
    @inlinable
    public func frameDescriptionEntry(
        _ header: EntryHeader, cie: borrowing CommonInformationEntry
    ) throws(CFIError) -> FrameDescriptionEntry {
        var cursor = cursor(header.body..<header.end)
        let start: UInt64
        let length: UInt64
        if cie.pointerEncoding.rawValue == PointerEncoding.pcRelative4, cursor.remaining >= 8 {
            let here = address &+ UInt64(cursor.position)
            start = wrap(here &+ UInt64(bitPattern: Int64(Int32(bitPattern: try cursor.read(UInt32.self)))))
            length = wrap(UInt64(bitPattern: Int64(Int32(bitPattern: try cursor.read(UInt32.self)))))
        } else {
            start = try readPointer(&cursor, encoding: cie.pointerEncoding, addressSize: cie.addressSize)
            // The range uses only the encoding's format: it is a length, not an address.
            length = wrap(
                try readValue(&cursor, format: cie.pointerEncoding.format, addressSize: cie.addressSize))
        }
        var augmentationData = cursor.position..<cursor.position
        if cie.hasAugmentationData {
            augmentationData = try cursor.readBlock(try cursor.readULEB())
        }
        return FrameDescriptionEntry(
            offset: header.offset, end: header.end, start: start, length: length,
            augmentationData: augmentationData, instructions: cursor.position..<header.end)
    }
}

extension FrameSection {
    /// The instructions of an FDE in `.eh_frame` whose CIE is plain (`FrameIndex.IndexedCIE.isPlain`). Nil if the FDE
    /// doesn't have the usual form in spite of that.
    @inlinable @inline(__always)
    public func plainInstructions(ofEntryAt offset: Int, hasAugmentationData: Bool) -> Range<Int>? {
        // Length, CIE pointer, start and range take 16 bytes; the length of the augmentation data takes one more.
        guard bytes.count &- offset >= 17, let base = bytes.baseAddress else { return nil }
        let length = Int(base.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        let end = offset &+ 4 &+ length
        var first = offset &+ 16
        if hasAugmentationData {
            let count = Int(base.loadUnaligned(fromByteOffset: first, as: UInt8.self))
            if count >= 0x80 { return nil }
            first = first &+ 1 &+ count
        }
        guard length < 0xffff_fff0, first <= end, end <= bytes.count else { return nil }
        return first..<end
    }
}
