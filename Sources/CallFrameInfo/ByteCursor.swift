/// Reads the bytes of one section forward, with bounds checks.
///
/// Positions are offsets from the start of the section. Every read is checked against `end` first, so a cursor
/// never leaves its range. Loads may be unaligned.
public struct ByteCursor {
    /// The first byte of the section.
    public let base: UnsafeRawPointer
    /// Offset of the next byte to read.
    public var position: Int
    /// End of the readable bytes (exclusive).
    public let end: Int
    public let isBigEndian: Bool

    /// - Precondition: `position..<end` is within the section that starts at `base`.
    @inlinable
    public init(base: UnsafeRawPointer, position: Int, end: Int, isBigEndian: Bool) {
        self.base = base
        self.position = position
        self.end = end
        self.isBigEndian = isBigEndian
    }

    @inlinable public var remaining: Int { end &- position }
    @inlinable public var isAtEnd: Bool { position >= end }

    @inlinable @inline(__always)
    public mutating func read<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) throws(CFIError) -> T {
        guard remaining >= MemoryLayout<T>.size else { throw .truncated }
        let value = base.loadUnaligned(fromByteOffset: position, as: T.self)
        position &+= MemoryLayout<T>.size
        return isBigEndian ? value.byteSwapped : value
    }

    @inlinable @inline(__always)
    public mutating func readU8() throws(CFIError) -> UInt8 {
        guard position < end else { throw .truncated }
        let value = base.loadUnaligned(fromByteOffset: position, as: UInt8.self)
        position &+= 1
        return value
    }

    /// Reads an unsigned LEB128 number (DWARF 5 §7.6). Throws `numberTooWide` if the value needs more than 64 bits.
    @inlinable @inline(__always)
    public mutating func readULEB() throws(CFIError) -> UInt64 {
        let first = try readU8()
        if first < 0x80 { return UInt64(first) }
        return try readLongLEB(UInt64(first & 0x7f)).bits
    }

    /// Reads a signed LEB128 number (DWARF 5 §7.6). Throws `numberTooWide` if the value needs more than 64 bits.
    @inlinable @inline(__always)
    public mutating func readSLEB() throws(CFIError) -> Int64 {
        let first = try readU8()
        if first < 0x80 { return Int64(Int8(bitPattern: first &<< 1) &>> 1) }
        let (bits, width) = try readLongLEB(UInt64(first & 0x7f))
        // The highest bit that is encoded is the sign bit.
        let unused = UInt64(64 &- min(width, 64))
        return Int64(bitPattern: bits &<< unused) &>> Int64(unused)
    }

    /// Reads the rest of a LEB128 number. Returns its low 64 bits and the number of encoded bits, at most 70.
    ///
    /// Ten bytes have 70 bits, and more may follow. Bits above bit 63 must all be zero, or all be one if bit 63 is one:
    /// assemblers write negative numbers either as unsigned 64-bit numbers (LLVM, and gas before 2.21 even for signed
    /// operands) or with any number of sign-extension bytes.
    @inlinable @inline(never)
    mutating func readLongLEB(_ low: UInt64) throws(CFIError) -> (bits: UInt64, width: UInt64) {
        var result = low
        var width: UInt64 = 7
        var allOnes: UInt8 = 0x7f
        var anyOne: UInt8 = 0
        while true {
            let byte = try readU8()
            let bits = byte & 0x7f
            if width < 63 {
                result |= UInt64(bits) &<< width
            } else if width == 63 {
                result |= UInt64(bits) &<< 63
                allOnes &= bits | 1
                anyOne |= bits & ~1
            } else {
                allOnes &= bits
                anyOne |= bits
            }
            width = min(width &+ 7, 70)
            guard byte < 0x80 else { continue }
            guard anyOne == 0 || allOnes == 0x7f && result &>> 63 == 1 else { throw .numberTooWide }
            return (result, width)
        }
    }

    /// Reads an unsigned integer of 1, 2, 4 or 8 bytes.
    @inlinable
    public mutating func readUnsigned(size: Int) throws(CFIError) -> UInt64 {
        switch size {
        case 1: return UInt64(try readU8())
        case 2: return UInt64(try read(UInt16.self))
        case 4: return UInt64(try read(UInt32.self))
        case 8: return try read(UInt64.self)
        default: throw .unsupportedAddressSize
        }
    }

    /// Skips `count` bytes.
    @inlinable
    public mutating func skip(_ count: UInt64) throws(CFIError) {
        guard count <= UInt64(max(remaining, 0)) else { throw .truncated }
        position &+= Int(count)
    }

    /// Skips a block of `count` bytes and returns its range.
    @inlinable
    public mutating func readBlock(_ count: UInt64) throws(CFIError) -> Range<Int> {
        let start = position
        try skip(count)
        return start..<position
    }

    /// Skips a NUL-terminated string and returns its range without the NUL.
    public mutating func readString() throws(CFIError) -> Range<Int> {
        let start = position
        while try readU8() != 0 {}
        return start..<(position &- 1)
    }
}
