import JSONDocuments
import Testing

/// Encoding of documents.
@Suite struct JSONTextTests {
    private struct Document: JSONDocument {
        static let schema = "test"
        var zebra = 1
        var things: [Thing] = []
        var path = "/a/b"
    }

    private struct Thing: Encodable {
        var name: String
        var parts: [Int]
    }

    private struct Bare: JSONDocument {
        static let schema = "bare"
        var things = "things"
    }

    private static let things = [
        Thing(name: "a\n  \"things\" : [", parts: [1, 2]), Thing(name: "]", parts: [0]), Thing(name: "é", parts: [3]),
    ]

    @Test func keysAreSortedAndTheDocumentSaysWhatItIs() throws {
        #expect(
            try JSONText.text(Document()) == """
                {
                  "path" : "/a/b",
                  "schema" : "test",
                  "schemaVersion" : 1,
                  "things" : [

                  ],
                  "zebra" : 1
                }

                """)
    }

    /// For any number of elements.
    @Test(arguments: 0...3) func listThatIsWrittenInPiecesHasTheSameBytes(count: Int) throws {
        let things = Self.things.prefix(count)
        var output = ""
        try JSONText.write(Document(), list: "things", things, to: &output)
        #expect(try output == JSONText.text(Document(things: Array(things))))
    }

    /// The encoder puts spaces between the brackets of a nested empty list.
    @Test func emptyListInAnElementIsTheSameButForSpaces() throws {
        let things = [Thing(name: "a", parts: [])]
        var output = ""
        try JSONText.write(Document(), list: "things", things, to: &output)
        let text = try JSONText.text(Document(things: things))
        #expect(output.split(separator: "\n").filter { !$0.allSatisfy { $0 == " " } } == text.split(separator: "\n"))
    }

    @Test func listThatIsNotThereIsAnError() throws {
        var output = ""
        #expect(throws: JSONText.NoSuchList.self) {
            try JSONText.write(Bare(), list: "things", [Thing](), to: &output)
        }
        #expect(output == "")
    }

    @Test func textIsPrintable() throws {
        let text = try JSONText.text(Document(path: "a\u{1b}[2J\u{9b}\u{202e}b"))
        #expect(text.contains(#""a\u001b[2J\u009b\u202eb""#), "\(text)")
    }

    @Test func namesOfCasesAreKebabCase() {
        #expect(JSONText.name("absorbedPadding") == "absorbed-padding" && JSONText.name("known") == "known")
    }
}
