/// Reads a message of protocol buffers, field by field. It may be hostile: nothing outside of the range is read.
struct ProtobufReader {
    enum Value {
        /// Of a varint, or of 32 or 64 bits.
        case number(UInt64)
        /// Text, bytes, a message or packed numbers.
        case bytes(Range<Int>)

        /// A field that should be a number; 0 if it isn't.
        var number: UInt64 { if case .number(let number) = self { number } else { 0 } }
        /// A field that should be a message; empty if it isn't.
        var range: Range<Int> { if case .bytes(let range) = self { range } else { 0..<0 } }
    }

    private let bytes: [UInt8]
    private var position: Int
    private let end: Int

    /// - Parameter range: the message's.
    init(_ bytes: [UInt8], _ range: Range<Int>) {
        (self.bytes, position, end) = (bytes, range.lowerBound, range.upperBound)
    }

    /// The next field; nil at the end.
    mutating func next() throws(ProfileProblem) -> (field: Int, value: Value)? {
        guard position < end else { return nil }
        let start = position, tag = try varint()
        guard let field = Int(exactly: tag >> 3), field > 0 else { throw ProfileProblem("no field", at: start) }
        switch tag & 7 {
        case 0: return (field, .number(try varint()))
        case 1: return (field, .number(try fixed(8)))
        case 5: return (field, .number(try fixed(4)))
        case 2:
            let count = try varint()
            guard count <= end - position else { throw ProfileProblem("a field exceeds its message", at: start) }
            defer { position += Int(count) }
            return (field, .bytes(position..<(position + Int(count))))
        default: throw ProfileProblem("a field of an unknown type", at: start)
        }
    }

    /// The numbers of a repeated field, packed or not.
    static func numbers(
        _ value: Value, in bytes: [UInt8], _ body: (UInt64) -> Void
    ) throws(ProfileProblem) {
        guard case .bytes(let range) = value else { return body(value.number) }
        var reader = ProtobufReader(bytes, range)
        while reader.position < reader.end { body(try reader.varint()) }
    }

    private mutating func varint() throws(ProfileProblem) -> UInt64 {
        let start = position
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard position < end else { throw ProfileProblem("the message is cut off", at: start) }
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        throw ProfileProblem("a number is longer than 64 bits", at: start)
    }

    private mutating func fixed(_ count: Int) throws(ProfileProblem) -> UInt64 {
        guard end - position >= count else { throw ProfileProblem("the message is cut off", at: position) }
        defer { position += count }
        return (0..<count).reduce(0) { $0 | UInt64(bytes[position + $1]) << ($1 * 8) }
    }
}
