/// An address that is encoded as a string, `"0x7f3a12345678"`: many JSON readers store numbers as doubles, which would
/// round addresses above 2⁵³.
///
/// The key of an optional address that is nil is omitted.
@propertyWrapper
public struct HexAddress<Value: HexDigits>: Encodable {
    public var wrappedValue: Value

    public init(wrappedValue: Value) { self.wrappedValue = wrappedValue }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        guard let text = wrappedValue.hexDigits else { return try container.encodeNil() }
        try container.encode("0x" + text)
    }
}

extension HexAddress: Sendable where Value: Sendable {}
extension HexAddress: Equatable where Value: Equatable {}
extension HexAddress: Hashable where Value: Hashable {}

/// The values that ``HexAddress`` wraps: addresses and optional addresses.
public protocol HexDigits {
    /// Lower case, without leading zeros; nil if there is no address. Made by the standard library: this module depends
    /// on no other.
    var hexDigits: String? { get }
}

extension UInt64: HexDigits {
    public var hexDigits: String? { String(self, radix: 16) }
}

extension UInt64?: HexDigits {
    public var hexDigits: String? { flatMap(\.hexDigits) }
}

extension KeyedEncodingContainer {
    /// Synthesized conformances call this for an optional address.
    public mutating func encode(_ address: HexAddress<UInt64?>, forKey key: Key) throws {
        guard let value = address.wrappedValue else { return }
        try encode(HexAddress<UInt64>(wrappedValue: value), forKey: key)
    }
}
