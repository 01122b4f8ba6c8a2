/// The pieces of code that one function consists of, each with its offsets: the first one from 0, the next ones behind it.
struct FunctionParts {
    struct Part {
        /// Number of the extent.
        var extent: Int
        /// SVMA.
        var start: UInt64
        /// Offset of its first byte.
        var base: Int
        var bytes: UnsafeRawBufferPointer
    }

    private(set) var parts: [Part] = []
    /// The size of all parts in bytes, which is the first offset behind them.
    private(set) var size = 0

    mutating func removeAll() {
        parts.removeAll(keepingCapacity: true)
        size = 0
    }

    mutating func append(extent: Int, start: UInt64, bytes: UnsafeRawBufferPointer) {
        parts.append(Part(extent: extent, start: start, base: size, bytes: bytes))
        size += bytes.count
    }

    /// The offset of an address; nil outside of the parts.
    func offset(of address: UInt64) -> Int? {
        for part in parts where address >= part.start && address - part.start < UInt64(part.bytes.count) {
            return part.base + Int(address - part.start)
        }
        return nil
    }

    /// The part with an offset below `size`.
    func part(at offset: Int) -> Part {
        if offset < parts[0].bytes.count { return parts[0] }
        return parts.last { $0.base <= offset } ?? parts[0]
    }

    /// Whether an address is the first one behind a part.
    func isEnd(_ address: UInt64) -> Bool { parts.contains { $0.start + UInt64($0.bytes.count) == address } }
}
