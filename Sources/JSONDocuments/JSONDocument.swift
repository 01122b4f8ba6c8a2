/// A document of `--json`, which docs/json.md describes under the heading ``schema``.
///
/// It encodes as an object. Keys are camelCase, names from lists are kebab-case (``JSONText/name(_:)``), addresses are
/// `@HexAddress`, and the key of a number of bytes ends in `Bytes`.
public protocol JSONDocument: Encodable {
    static var schema: String { get }
}
