/// A bounded, forward reader over the bytes of one section.
///
/// Positions are offsets from the start of the section. Every read checks against `end` first, so a
/// cursor never leaves the range it was made for; the loads themselves are unaligned.
public struct ByteCursor {
    /// First byte of the section.
    public let base: UnsafeRawPointer
    /// Offset of the next byte to read.
    public var position: Int
    /// Offset behind the last readable byte.
    public let end: Int
    public let isBigEndian: Bool

    /// - Precondition: `position...end` lies inside the section that starts at `base`.
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

    /// An unsigned LEB128 number (DWARF 5 §7.6). Padding is accepted, a value beyond 64 bits is not.
    @inlinable @inline(__always)
    public mutating func readULEB() throws(CFIError) -> UInt64 {
        let first = try readU8()
        if first < 0x80 { return UInt64(first) }
        return try readLongULEB(UInt64(first & 0x7f))
    }

    @inlinable @inline(never)
    mutating func readLongULEB(_ low: UInt64) throws(CFIError) -> UInt64 {
        var result = low
        var shift: UInt64 = 7
        while true {
            let byte = try readU8()
            let bits = UInt64(byte & 0x7f)
            if shift < 64 {
                guard shift < 63 || bits <= 1 else { throw .numberTooWide }
                result |= bits &<< shift
            } else if bits != 0 {
                throw .numberTooWide
            }
            if byte < 0x80 { return result }
            shift = min(shift &+ 7, 70)  // saturates: only padding may follow
        }
    }

    /// A signed LEB128 number (DWARF 5 §7.6). Padding is accepted, a value beyond 64 bits is not.
    @inlinable @inline(__always)
    public mutating func readSLEB() throws(CFIError) -> Int64 {
        let first = try readU8()
        if first < 0x80 { return Int64(Int8(bitPattern: first &<< 1) &>> 1) }
        return try readLongSLEB(UInt64(first & 0x7f))
    }

    @inlinable @inline(never)
    mutating func readLongSLEB(_ low: UInt64) throws(CFIError) -> Int64 {
        var result = low
        var shift: UInt64 = 7
        while true {
            let byte = try readU8()
            let bits = UInt64(byte & 0x7f)
            if shift < 63 {
                result |= bits &<< shift
                if byte < 0x80 {
                    // The number's own sign bit is bit 6 of its last byte.
                    let width = shift &+ 7
                    if bits & 0x40 != 0, width < 64 { result |= ~0 &<< width }
                    return Int64(bitPattern: result)
                }
            } else {
                // Bit 63 is the only one left; everything above must repeat the sign.
                if shift == 63 { result |= bits &<< 63 }
                let sign: UInt64 = result >> 63 == 1 ? 0x7f : 0
                guard bits == sign else { throw .numberTooWide }
                if byte < 0x80 { return Int64(bitPattern: result) }
            }
            shift = min(shift &+ 7, 70)
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

    /// Takes a block of `count` bytes and returns its range.
    @inlinable
    public mutating func readBlock(_ count: UInt64) throws(CFIError) -> Range<Int> {
        let start = position
        try skip(count)
        return start..<position
    }

    /// A NUL-terminated string; returns its range without the NUL.
    public mutating func readString() throws(CFIError) -> Range<Int> {
        let start = position
        while try readU8() != 0 {}
        return start..<(position &- 1)
    }
}
