import FoundationEssentials
import Symbols

/// A document of `--json`; docs/json.md describes it under the heading ``schema``.
///
/// It encodes as an object. Keys are camelCase, names from lists kebab-case (``JSONOutput/name(_:)``), addresses
/// `@HexAddress`; what is counted in bytes says so in its key.
protocol JSONDocument: Encodable {
    static var schema: String { get }
}

/// Output for programs.
enum JSONOutput {
    /// Grows when a field is renamed, removed or given another meaning; fields that are added leave it.
    static let schemaVersion = 1

    /// The document as indented JSON with sorted keys, in lines.
    static func text<Document: JSONDocument>(_ document: Document) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let text = String(decoding: try encoder.encode(Labelled(document: document)), as: UTF8.self)
        return PrintableText.ofJSON(text) + "\n"
    }

    /// Writes it to standard output.
    static func print(_ document: some JSONDocument) throws {
        var output = StandardOutput()
        output.write(try text(document))
        output.flush()
    }

    /// A Swift case's name as documents have it: `absorbedPadding` → `absorbed-padding`.
    static func name(_ camelCase: String) -> String {
        camelCase.reduce(into: "") { $0 += $1.isUppercase ? "-" + $1.lowercased() : String($1) }
    }

    /// A document's own fields beside those that every document has.
    private struct Labelled<Document: JSONDocument>: Encodable {
        var document: Document

        private enum CodingKeys: CodingKey { case schema, schemaVersion }

        func encode(to encoder: any Encoder) throws {
            try document.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(Document.schema, forKey: .schema)
            try container.encode(JSONOutput.schemaVersion, forKey: .schemaVersion)
        }
    }
}
