/// A document of `--json`; docs/json.md describes it under the heading ``schema``.
///
/// It encodes as an object. Keys are camelCase, names from lists kebab-case (``JSONText/name(_:)``), addresses
/// `@HexAddress`; a key of a count of bytes ends in `Bytes`.
public protocol JSONDocument: Encodable {
    static var schema: String { get }
}
