/// How `.eh_frame` encodes an address: a format (low nibble), what it is relative to (high nibble), and a flag for
/// indirect pointers (LSB Core, "DWARF Exception Header Encoding").
public struct PointerEncoding: RawRepresentable, Equatable, Sendable {
    public var rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let absolute = PointerEncoding(rawValue: 0x00)
    public static let omit = PointerEncoding(rawValue: 0xff)
    /// `DW_EH_PE_pcrel | DW_EH_PE_sdata4`, which compilers nearly always use.
    @inlinable static var pcRelative4: UInt8 { 0x1b }

    @inlinable public var format: UInt8 { rawValue & 0x0f }
    @inlinable public var application: UInt8 { rawValue & 0x70 }
    @inlinable public var isIndirect: Bool { rawValue & 0x80 != 0 && rawValue != 0xff }

    /// Whether the size of pointers in this encoding is known.
    public var isKnown: Bool {
        if self == .omit { return true }
        return (format <= 0x04 || (0x08...0x0c).contains(format)) && application <= 0x50
    }
}

extension FrameSection {
    /// Reads an encoded value without adding a base. An FDE's range is such a value.
    @inlinable
    func readValue(_ cursor: inout ByteCursor, format: UInt8, addressSize: Int) throws(CFIError) -> UInt64 {
        switch format {
        case 0x00: return try cursor.readUnsigned(size: addressSize)
        case 0x01: return try cursor.readULEB()
        case 0x02: return UInt64(try cursor.read(UInt16.self))
        case 0x03: return UInt64(try cursor.read(UInt32.self))
        case 0x04: return try cursor.read(UInt64.self)
        case 0x08: return UInt64(bitPattern: Int64(try Self.signed(&cursor, size: addressSize)))
        case 0x09: return UInt64(bitPattern: try cursor.readSLEB())
        case 0x0a: return UInt64(bitPattern: Int64(Int16(bitPattern: try cursor.read(UInt16.self))))
        case 0x0b: return UInt64(bitPattern: Int64(Int32(bitPattern: try cursor.read(UInt32.self))))
        case 0x0c: return try cursor.read(UInt64.self)
        default: throw .unsupportedPointerEncoding
        }
    }

    @usableFromInline
    static func signed(_ cursor: inout ByteCursor, size: Int) throws(CFIError) -> Int64 {
        let value = try cursor.readUnsigned(size: size)
        let unused = UInt64(64 - size * 8)
        return Int64(bitPattern: value << unused) >> Int64(unused)
    }

    /// Reads an encoded address and adds its base, truncated to the address size.
    @inlinable
    func readPointer(
        _ cursor: inout ByteCursor, encoding: PointerEncoding, addressSize: Int, function: UInt64? = nil
    ) throws(CFIError) -> UInt64 {
        if encoding.application == 0x50 {  // DW_EH_PE_aligned: an absolute address, padded to its size
            let here = address &+ UInt64(cursor.position)
            let size = UInt64(addressSize)
            try cursor.skip((size &- here % size) % size)
            return try cursor.readUnsigned(size: addressSize)
        }
        let here = address &+ UInt64(cursor.position)
        let value = try readValue(&cursor, format: encoding.format, addressSize: addressSize)
        guard !encoding.isIndirect else { throw .indirectPointer }
        switch encoding.application {
        case 0x00: return wrap(value)
        case 0x10: return wrap(value &+ here)
        case 0x20: return wrap(value &+ textAddress)
        case 0x30: return wrap(value &+ dataAddress)
        case 0x40:
            guard let function else { throw .unsupportedPointerEncoding }
            return wrap(value &+ function)
        default: throw .unsupportedPointerEncoding
        }
    }
}
