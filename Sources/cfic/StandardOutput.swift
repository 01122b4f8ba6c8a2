import Files
import Glibc
import Symbols

/// Standard output for results, written in large pieces. Text is made printable, so that names can't contain terminal
/// commands; only ``Diagnostics/Style`` adds these.
struct StandardOutput: TextOutputStream {
    private var buffer: [UInt8] = []

    /// Writes text that contains line breaks. Use ``line(_:_:)`` if a name could contain a line break.
    mutating func write(_ text: String) { append(PrintableText.ofLines(text)) }

    /// Writes JSON, which is already printable and keeps a name's characters: ``PrintableText/ofJSON(_:)``.
    mutating func writeJSON(_ text: String) { append(text) }

    /// Writes a line.
    mutating func line(_ text: String = "", _ style: Diagnostics.Style? = nil) { line([(text, style)]) }

    /// Writes a line whose parts have different styles.
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

    /// Waits if standard output is non-blocking. If the reader has gone (`| head`), exits silently; after any other
    /// failure, exits with a message.
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
