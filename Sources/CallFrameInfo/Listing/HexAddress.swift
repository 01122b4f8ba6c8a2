/// An address that encodes as `"0x7f3a12345678"`. As JSON numbers, which many readers keep as doubles, addresses above
/// 2⁵³ would be rounded.
///
/// An optional address that is nil has no key.
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

/// What ``HexAddress`` wraps: an address, or perhaps one.
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
