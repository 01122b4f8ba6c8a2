import JSONDocuments

extension JSONText {
    /// Writes the document to standard output.
    static func print(_ document: some JSONDocument) throws {
        var output = StandardOutput()
        output.writeJSON(try text(document))
        output.flush()
    }
}
