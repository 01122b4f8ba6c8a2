import FoundationEssentials
import Symbols

/// Encodes documents as printable text, indented and with sorted keys.
public enum JSONText {
    /// Incremented when a field is renamed, removed or redefined, not when one is added.
    public static let schemaVersion = 1

    /// The whole document, as lines.
    ///
    /// - Throws: `EncodingError`.
    public static func text<Document: JSONDocument>(_ document: Document) throws -> String {
        try encoded(Labelled(document: document)) + "\n"
    }

    /// Writes a document whose list may be too long for memory: encodes the list's elements one by one. The result
    /// equals ``text(_:)``, except for spaces in empty lines.
    ///
    /// - Parameters:
    ///   - document: the document, with an empty list.
    ///   - list: the list's key in the document.
    /// - Throws: `EncodingError`, ``NoSuchList``.
    public static func write(
        _ document: some JSONDocument, list: String, _ elements: some Sequence<some Encodable>,
        to output: inout some TextOutputStream
    ) throws {
        let text = try text(document)
        // Strings in JSON contain no raw newlines, and nested keys are indented further, so this matches only the list.
        let opening = "\n  \"\(list)\" : ["
        guard let start = text.firstRange(of: opening)?.upperBound, let end = text[start...].firstIndex(of: "]") else {
            throw NoSuchList(key: list)
        }
        output.write(String(text[..<start]))
        var separator = ""
        for element in elements {
            output.write(separator + "\n    " + (try encoded(element)).replacing("\n", with: "\n    "))
            separator = ","
        }
        output.write((separator.isEmpty ? String(text[start..<end]) : "\n  ") + String(text[end...]))
    }

    /// The document doesn't have the list to be written.
    public struct NoSuchList: Error, Equatable, CustomStringConvertible {
        public var key: String
        public var description: String { "JSON without \(key)" }
    }

    private static func encoded(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return PrintableText.ofJSON(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    /// A Swift case's name in documents' spelling: `absorbedPadding` → `absorbed-padding`.
    public static func name(_ camelCase: String) -> String {
        camelCase.reduce(into: "") { $0 += $1.isUppercase ? "-" + $1.lowercased() : String($1) }
    }

    /// A document's own fields, together with those that every document has.
    private struct Labelled<Document: JSONDocument>: Encodable {
        var document: Document

        private enum CodingKeys: CodingKey { case schema, schemaVersion }

        func encode(to encoder: any Encoder) throws {
            try document.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(Document.schema, forKey: .schema)
            try container.encode(JSONText.schemaVersion, forKey: .schemaVersion)
        }
    }
}
