import Files

/// Text that is safe to print: without characters that control terminals or end lines. Names of files, functions and
/// threads can contain any byte.
public enum PrintableText {
    /// The text with control characters (below U+0020, DEL, U+0080 to U+009F) as `\x1b`, and characters that change the
    /// direction of writing or separate lines as `\u202e`. Bytes of paths that aren't UTF-8 are as in
    /// `String.readable`.
    public static func of(_ text: String) -> String { of(text, keepsLineEnds: false) }

    /// The same for text of several lines: newlines are kept.
    public static func ofLines(_ text: String) -> String { of(text, keepsLineEnds: true) }

    private static func of(_ text: String, keepsLineEnds: Bool) -> String {
        guard needsEscapes(text) else { return text }
        var escaped = String.UnicodeScalarView()
        for scalar in text.readable.unicodeScalars {
            if isControl(scalar), scalar != "\n" || !keepsLineEnds {
                escaped.append(contentsOf: "\\x\(Hex.text(scalar.value, digits: 2))".unicodeScalars)
            } else if isMisleading(scalar) {
                escaped.append(contentsOf: "\\u\(Hex.text(scalar.value, digits: 1))".unicodeScalars)
            } else {
                escaped.append(scalar)
            }
        }
        return String(escaped)
    }

    /// JSON text with the same characters escaped, except the whitespace of its layout. In JSON these characters can
    /// only be in strings, where those below U+0020 are already escaped.
    public static func ofJSON(_ text: String) -> String {
        guard needsEscapes(text) else { return text }
        var escaped = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if scalar.value >= 0x20, isControl(scalar) || isMisleading(scalar) {
                escaped.append(contentsOf: "\\u\(Hex.text(scalar.value, digits: 4))".unicodeScalars)
            } else {
                escaped.append(scalar)
            }
        }
        return String(escaped)
    }

    /// Whether there may be characters to escape. Nearly all text has only bytes from 0x20 to 0x7e.
    private static func needsEscapes(_ text: String) -> Bool { text.utf8.contains { $0 < 0x20 || $0 >= 0x7f } }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
    }

    /// Bidirectional embeddings, overrides, isolates and marks (Unicode UAX 9, "Directional Formatting Characters"),
    /// and the separators of lines and paragraphs.
    private static func isMisleading(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x061c, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069: true
        default: false
        }
    }
}
