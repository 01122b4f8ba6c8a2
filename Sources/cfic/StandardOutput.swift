import Files
import Glibc
import Symbols

/// Standard output, written in large pieces. Results go here. Text is made printable, so that no name in it reaches a
/// terminal as a command; only ``Diagnostics/Style`` adds those.
struct StandardOutput: TextOutputStream {
    private var buffer: [UInt8] = []

    /// Text with its own line ends. Use ``line(_:_:)`` where a name could contain one, too.
    mutating func write(_ text: String) { append(PrintableText.ofLines(text)) }

    /// JSON, which is printable already and keeps a name's characters: ``PrintableText/ofJSON(_:)``.
    mutating func writeJSON(_ text: String) { append(text) }

    /// A line of its own.
    mutating func line(_ text: String = "", _ style: Diagnostics.Style? = nil) { line([(text, style)]) }

    /// A line of parts that look different.
    mutating func line(_ parts: [(text: String, style: Diagnostics.Style?)]) {
        for part in parts {
            append(Diagnostics.styled(PrintableText.of(part.text), part.style, isTerminal: isatty(STDOUT_FILENO) == 1))
        }
        append("\n")
    }

    private mutating func append(_ printable: String) {
        buffer.append(contentsOf: printable.utf8)
        if buffer.count >= 1 << 16 { flush() }
    }

    /// Waits if standard output is non-blocking. Exits quietly if the reader has gone (`| head`), and with a message
    /// after any other failure.
    mutating func flush() {
        let code = buffer.withUnsafeBytes { Descriptor.write($0, to: STDOUT_FILENO) }
        if let code {
            if code != EPIPE {
                Diagnostics.error("cannot write to standard output: \(systemMessage(code))")
            }
            exit(1)
        }
        buffer.removeAll(keepingCapacity: true)
    }

    mutating func write(_ table: TextTable) {
        for row in table.lines { line(row) }
    }
}
