import Glibc
import Symbols
import TableStore

/// Standard output, written in large pieces. Data goes here. Nothing of it is a terminal's command but what ``Talk/Style``
/// adds: text is made printable here, whoever's names are in it.
struct StandardOutput: TextOutputStream {
    private var buffer: [UInt8] = []

    /// Text that has its own ends of lines. What is in it is written with ``line(_:_:)`` where names could have some, too.
    mutating func write(_ text: String) { append(PrintableText.ofLines(text)) }

    /// JSON, which is printable, and where a name's bytes stand for themselves: ``PrintableText/ofJSON(_:)``.
    mutating func writeJSON(_ text: String) { append(text) }

    /// A line of its own.
    mutating func line(_ text: String = "", _ style: Talk.Style? = nil) { line([(text, style)]) }

    /// A line of parts that look different.
    mutating func line(_ parts: [(text: String, style: Talk.Style?)]) {
        for part in parts {
            append(Talk.styled(PrintableText.of(part.text), part.style, isTerminal: isatty(STDOUT_FILENO) == 1))
        }
        append("\n")
    }

    private mutating func append(_ printable: String) {
        buffer.append(contentsOf: printable.utf8)
        if buffer.count >= 1 << 16 { flush() }
    }

    /// Waits where standard output doesn't block. A reader that has gone (`| head`) ends the program as it ends others;
    /// any other failure is said.
    mutating func flush() {
        let code = buffer.withUnsafeBytes { TableStore.write($0, to: STDOUT_FILENO) }
        if let code {
            if code != EPIPE { Talk.error("cannot write to standard output: \(String(cString: strerror(code)))") }
            exit(1)
        }
        buffer.removeAll(keepingCapacity: true)
    }
}

/// Standard error: what is said to a person, made printable as it is on ``StandardOutput``.
enum Talk {
    /// A line.
    static func say(_ text: String, _ style: Style? = nil) { say([(text, style)]) }

    /// What is being done, for a person who waits: on a terminal only.
    static func progress(_ text: String) { if isTerminal { say(text + " …", .dim) } }

    static func error(_ text: String) { say([("cfic:", .red), (" \(text)", nil)]) }

    static func note(_ text: String) { say([("note:", .dim), (" \(text)", nil)]) }

    /// Lines that have their own ends.
    static func sayLines(_ text: String) { put(PrintableText.ofLines(text) + "\n") }

    private static func say(_ parts: [(text: String, style: Style?)]) {
        put(parts.map { styled(PrintableText.of($0.text), $0.style, isTerminal: isTerminal) }.joined() + "\n")
    }

    private static func put(_ printable: String) {
        let bytes = Array(printable.utf8)
        _ = bytes.withUnsafeBytes { TableStore.write($0, to: STDERR_FILENO) }
    }

    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    enum Style: String {
        case bold = "1"
        case red = "31"
        case dim = "2"
    }

    /// Colours only on a terminal, and not on a plain one or under NO_COLOR.
    fileprivate static func styled(_ printable: String, _ style: Style?, isTerminal: Bool) -> String {
        guard let style, isTerminal, !Terminal.isPlain else { return printable }
        guard getenv("NO_COLOR").map({ $0.pointee == 0 }) ?? true else { return printable }
        return "\u{1b}[\(style.rawValue)m\(printable)\u{1b}[0m"
    }
}
