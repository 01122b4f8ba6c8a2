import Foundation
import Testing

/// Names of files and symbols with characters that control terminals: escape sequences, C1 controls, newlines.
@Suite struct UnprintableNameTests {
    private let place: Workplace
    private static let name = "lib\u{1b}]0;TITLE\u{7}\u{1b}[31m\n\u{7f}\u{9b}7m\u{202e}.so"

    init() throws { place = try Workplace() }

    /// Requires that neither stream has characters that control terminals.
    private func expectPrintable(_ outcome: Outcome, sourceLocation: SourceLocation = #_sourceLocation) {
        for text in [outcome.output, outcome.diagnostics] {
            let raw = text.unicodeScalars.filter {
                $0.value < 0x20 && $0 != "\n" || (0x7f...0x9f).contains($0.value) || $0 == "\u{202e}"
            }
            #expect(raw.isEmpty, "\(text.debugDescription)", sourceLocation: sourceLocation)
            // The name's newline is escaped.
            let lines = text.split(separator: "\n")
            #expect(!lines.contains { $0.hasPrefix("\\x7f") }, "\(text)", sourceLocation: sourceLocation)
        }
    }

    /// All commands that print file names, with a library, a text file and a missing file.
    @Test(arguments: [
        "compile", "compile --force --json", "compile -o out", "stats", "stats --json", "sizes", "sizes --json",
        "verify", "verify --json",
        "validate", "validate --json", "dump", "dump --stage rows", "dump --json", "check-bpf", "check-bpf --json",
        "lookup", "lookup --json", "lookup --explain", "profile --", "profile -o", "stats --nonsense", "nonsense",
    ])
    func ofFilesAreNeverPrintedRaw(command: String) throws {
        let path = place.directory + "/" + Self.name
        let words =
            command.split(separator: " ").map(String.init) + [path]
            + (command.hasPrefix("lookup") ? ["1000"] : [])
        expectPrintable(try place.cfic(words))
        try place.write(Array("text".utf8), to: Self.name)
        expectPrintable(try place.cfic(words))
        unlink(path)
        try FileManager.default.moveItem(atPath: place.library("a.so", buildID: "0xaa01"), toPath: path)
        expectPrintable(try place.cfic(words))
    }

    @Test func ofSymbolsAreNeverPrintedRaw() throws {
        let path = try place.library(
            cfi: """
                .cfi_endproc
                .globl placeholder_name
                .type placeholder_name, @function
                .size placeholder_name, 8
                placeholder_name:
                .cfi_startproc
                """)
        var bytes = try place.bytes(path)
        let name = Array("a\u{1b}]0;T\u{7}\u{9b}7m\u{7f}bcde".utf8), placeholder = Array("placeholder_name".utf8)
        try #require(name.count == placeholder.count)
        while let range = bytes.firstRange(of: placeholder) { bytes.replaceSubrange(range, with: name) }
        // Bytes that aren't UTF-8 are replaced.
        try place.write(bytes, to: "named.so")
        let symbols = try place.shell("readelf -sW named.so | grep -c bcde")
        try #require(symbols.code == 0, "\(symbols)")
        let table = try place.shell("nm named.so | grep -a ' T .*bcde' | cut -d' ' -f1")
        let address = table.output.prefix { $0 != "\n" }
        for options in [[], ["--json"], ["--explain"], ["--explain", "--json"]] {
            let outcome = try place.cfic(["lookup"] + options + ["named.so", String(address)])
            expectPrintable(outcome)
            #expect(outcome.code == 0 && outcome.output.contains("bcde"), "\(outcome)")
        }
    }
}
