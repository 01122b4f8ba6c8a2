import Files
import Glibc
import Symbols

/// Writes messages for people to standard error, made printable as on ``StandardOutput``.
enum Diagnostics {
    /// Writes one line.
    static func note(_ text: String, _ style: Style? = nil) { note([(text, style)]) }

    /// Tells a waiting user what is being done. Only on a terminal.
    static func progress(_ text: String) { if isTerminal { note(text + " …", .dim) } }

    /// Writes a line that starts with "cfic:".
    static func error(_ text: String) { note([("cfic:", .red), (" \(text)", nil)]) }

    /// Writes a line that starts with "note:".
    static func remark(_ text: String) { note([("note:", .dim), (" \(text)", nil)]) }

    /// Writes text that contains line breaks.
    static func noteLines(_ text: String) { put(PrintableText.ofLines(text) + "\n") }

    private static func note(_ parts: [(text: String, style: Style?)]) {
        put(parts.map { styled(PrintableText.of($0.text), $0.style, isTerminal: isTerminal) }.joined() + "\n")
    }

    private static func put(_ printable: String) {
        let bytes = Array(printable.utf8)
        _ = bytes.withUnsafeBytes { Descriptor.write($0, to: STDERR_FILENO) }
    }

    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    enum Style: String {
        case bold = "1"
        case red = "31"
        case dim = "2"
    }

    /// Whether colours are wanted, where there are any.
    static var usesColours: Bool { getenv("NO_COLOR").map { $0.pointee == 0 } ?? true }

    /// Colours text only on a terminal that supports it, and unless NO_COLOR is set.
    static func styled(_ printable: String, _ style: Style?, isTerminal: Bool) -> String {
        guard let style, isTerminal, !Terminal.isPlain, usesColours else { return printable }
        return "\u{1b}[\(style.rawValue)m\(printable)\u{1b}[0m"
    }
}
