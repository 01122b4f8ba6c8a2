import Files
import Foundation
import Symbols
import Testing

/// Names are printed without characters that control terminals.
@Suite struct PrintableTextTests {
    @Test func plainTextStays() {
        for text in ["", "main", "a b;c", "größe ✓ 日本 🚀", "\\x1b"] { #expect(PrintableText.of(text) == text) }
    }

    @Test(arguments: Array(UInt32(0)..<0x20) + Array(0x7f..<0xa0))
    func controlCharactersAreShown(code: UInt32) throws {
        let scalar = try #require(Unicode.Scalar(code))
        let digits = String(format: "%02x", code)
        #expect(PrintableText.of("a\(scalar)b") == "a\\x\(digits)b")
    }

    @Test(arguments: [0x20, 0x7e, 0xa0, 0xff, 0x200b, 0x2027, 0x2030, 0x2065, 0x206a, 0xfeff])
    func neighboursStay(code: UInt32) throws {
        let text = "a\(try #require(Unicode.Scalar(code)))b"
        #expect(PrintableText.of(text) == text)
    }

    @Test(arguments: [0x061c, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202e, 0x2066, 0x2069])
    func directionsOfWritingAreShown(code: UInt32) throws {
        let text = "a\(try #require(Unicode.Scalar(code)))b"
        #expect(PrintableText.of(text) == "a\\u\(String(code, radix: 16))b")
    }

    @Test func combinedCharactersAreTakenApart() {
        // Each is one Character, part of which is a control character.
        #expect(PrintableText.of("\r\n") == "\\x0d\\x0a")
        #expect(PrintableText.of("\u{1b}\u{301}") == "\\x1b\u{301}")
    }

    @Test func bytesOfPathsAreShown() {
        #expect(PrintableText.of(String(path: [0x61, 0x9b, 0x1b, 0xff])) == "a\\x9b\\x1b\\xff")
    }

    @Test func linesKeepTheirEnds() {
        #expect(PrintableText.ofLines("a\u{1b}\nb\r\n\nc") == "a\\x1b\nb\\x0d\n\nc")
        #expect(PrintableText.ofLines("a\n") == "a\n")
    }

    @Test func JSONMeansTheSame() throws {
        let text = "a\u{1b}\u{7f}\u{9b}\u{202e}\n\"é"
        let json = PrintableText.ofJSON(String(decoding: try JSONEncoder().encode([text]), as: UTF8.self) + "\n")
        #expect(json.hasSuffix("]\n") && json.contains("é"))
        #expect(!json.dropLast().unicodeScalars.contains { $0.value < 0x20 || (0x7f...0x9f).contains($0.value) })
        #expect(!json.unicodeScalars.contains("\u{202e}"))
        #expect(try JSONDecoder().decode([String].self, from: Data(json.utf8)) == [text])
    }
}
