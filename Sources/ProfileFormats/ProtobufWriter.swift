/// Encodes fields of protocol buffers (https://protobuf.dev/programming-guides/encoding). Fields with their default value are
/// left out.
///
/// swift-protobuf would do, but brings all of Foundation into a static executable: 68 MB became 22 without it.
struct ProtobufWriter {
    private(set) var bytes: [UInt8] = []

    /// A field of an integer, without zigzag.
    mutating func add(_ field: Int, _ value: Int64) { add(field, UInt64(bitPattern: value)) }

    mutating func add(_ field: Int, _ value: UInt64) {
        guard value != 0 else { return }
        tag(field, .varint)
        varint(value)
    }

    mutating func add(_ field: Int, _ value: Bool) { add(field, UInt64(value ? 1 : 0)) }

    /// A repeated field of integers, packed.
    mutating func add(_ field: Int, packed values: [UInt64]) {
        guard !values.isEmpty else { return }
        var packed = ProtobufWriter()
        for value in values { packed.varint(value) }
        add(field, packed)
    }

    /// An element of a repeated field of strings, which may be empty.
    mutating func add(_ field: Int, element text: String) {
        tag(field, .bytes)
        varint(UInt64(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    /// A message, which may be empty.
    mutating func add(_ field: Int, _ message: ProtobufWriter) {
        tag(field, .bytes)
        varint(UInt64(message.bytes.count))
        bytes.append(contentsOf: message.bytes)
    }

    /// A `fixed64`.
    mutating func add(_ field: Int, fixed value: UInt64) {
        guard value != 0 else { return }
        tag(field, .fixed64)
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// Bytes, which may be none.
    mutating func add(_ field: Int, element content: [UInt8]) {
        tag(field, .bytes)
        varint(UInt64(content.count))
        bytes.append(contentsOf: content)
    }

    /// The fields of another message, as fields of this one.
    mutating func append(_ other: ProtobufWriter) { bytes += other.bytes }

    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    private enum WireType: UInt64 { case varint = 0, fixed64 = 1, bytes = 2 }

    private mutating func tag(_ field: Int, _ type: WireType) { varint(UInt64(field) << 3 | type.rawValue) }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
