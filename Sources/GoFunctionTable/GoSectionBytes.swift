/// The bytes of a `.gopclntab` section, little-endian. Every access is checked.
struct GoSectionBytes {
    let bytes: UnsafeRawBufferPointer

    /// - Parameter offset: may be anything.
    func load<Value: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: Value.Type) throws(GoTableError)
        -> Value
    {
        guard offset >= 0, bytes.count >= MemoryLayout<Value>.size, offset <= bytes.count - MemoryLayout<Value>.size
        else { throw GoTableError(offset: offset, problem: "the section ends before") }
        return Value(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
    }

    /// An address or a size of 8 bytes that is to be an offset.
    func offset(_ position: Int) throws(GoTableError) -> Int {
        let value = try load(position, as: UInt64.self)
        guard value <= UInt64(bytes.count) else {
            throw GoTableError(offset: position, problem: "offset is beyond the section")
        }
        return Int(value)
    }

    /// Whether a string that ends with a zero byte is at an offset.
    func isString(_ string: StaticString, at offset: Int) -> Bool {
        let count = string.utf8CodeUnitCount
        guard offset >= 0, offset < bytes.count - count, bytes[offset + count] == 0 else { return false }
        return string.withUTF8Buffer { bytes[offset..<offset + count].elementsEqual($0) }
    }

    /// A number of up to 32 bits in LEB128, and the offset after it.
    func varint(_ start: Int) throws(GoTableError) -> (value: UInt32, end: Int) {
        var value: UInt64 = 0
        for index in 0..<5 {
            let byte = try load(start + index, as: UInt8.self)
            value |= UInt64(byte & 0x7f) << UInt64(7 * index)
            if byte & 0x80 == 0 {
                guard value <= UInt64(UInt32.max) else { break }
                return (UInt32(value), start + index + 1)
            }
        }
        throw GoTableError(offset: start, problem: "number does not fit 32 bits")
    }
}
