/// Contents of a .cfic file: numbers and texts, as ``NumberReader`` reads them.
struct NumberWriter {
    private(set) var bytes: [UInt8] = []

    mutating func number(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func number(_ value: Int) { number(UInt64(value)) }

    mutating func number(_ value: UInt32) { number(UInt64(value)) }

    /// A number that may be negative: zigzag.
    mutating func signed(_ value: Int64) { number(UInt64(bitPattern: value << 1 ^ value >> 63)) }

    mutating func double(_ value: Double) {
        for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> (shift * 8))) }
    }

    /// A text, and the byte that ends it.
    mutating func text(_ text: String) {
        bytes.append(contentsOf: text.utf8)
        bytes.append(NumberReader.endOfText)
    }

    mutating func append(_ other: NumberWriter) { bytes += other.bytes }
}
