extension UnsafeRawBufferPointer {
    /// The integer at `offset`, which need not be aligned; nil if it lies partly outside.
    @inline(__always)
    func integer<T: FixedWidthInteger>(_ type: T.Type, at offset: Int, bigEndian: Bool) -> T? {
        guard offset >= 0, count >= MemoryLayout<T>.size, offset <= count - MemoryLayout<T>.size else { return nil }
        let value = loadUnaligned(fromByteOffset: offset, as: T.self)
        return bigEndian ? T(bigEndian: value) : T(littleEndian: value)
    }

    /// The bytes from `offset` to the next zero byte, without it; nil if there is none.
    func stringBytes(at offset: Int) -> UnsafeRawBufferPointer? {
        guard offset >= 0, offset < count else { return nil }
        let rest = self[offset...]
        guard let end = rest.firstIndex(of: 0) else { return nil }
        return UnsafeRawBufferPointer(rebasing: rest[..<end])
    }
}
