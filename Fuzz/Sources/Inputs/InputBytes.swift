/// An input and how far it has been read. Reads past its end return zeros, so that every input is valid.
public struct InputBytes {
    public private(set) var rest: UnsafeRawBufferPointer

    public init(_ start: UnsafePointer<UInt8>?, _ count: Int) {
        rest = UnsafeRawBufferPointer(start: start, count: count)
    }

    public mutating func next() -> UInt8 {
        guard let first = rest.first else { return 0 }
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst())
        return first
    }

    /// Little-endian.
    public mutating func next<Number: FixedWidthInteger>(_ type: Number.Type) -> Number {
        var number: Number = 0
        for shift in stride(from: 0, to: Number.bitWidth, by: 8) {
            number |= Number(truncatingIfNeeded: next()) << shift
        }
        return number
    }
}
