import Files
import Glibc

/// Standard output, written in large pieces. Data goes here.
struct StandardOutput: TextOutputStream {
    private var buffer: [UInt8] = []

    mutating func write(_ text: String) {
        buffer.append(contentsOf: text.utf8)
        if buffer.count >= 1 << 16 { flush() }
    }

    mutating func line(_ text: String = "") {
        write(text.readable)
        write("\n")
    }

    /// A reader that has gone (`| head`) ends the program as it ends others; any other failure is said.
    mutating func flush() {
        var rest = buffer[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                if errno != EPIPE { Talk.error("cannot write to standard output: \(String(cString: strerror(errno)))") }
                exit(1)
            }
            rest = rest.dropFirst(count)
        }
        buffer.removeAll(keepingCapacity: true)
    }

    /// Colours only where a person reads, as ``Talk`` has it.
    func style(_ text: String, _ style: Talk.Style) -> String {
        Talk.style(text, style, isTerminal: isatty(STDOUT_FILENO) == 1)
    }
}

/// Standard error: what is said to a person.
enum Talk {
    static func say(_ text: String) {
        var bytes = Array(text.readable.utf8)
        bytes.append(UInt8(ascii: "\n"))
        _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    static func error(_ text: String) { say("\(style("cfic:", .red)) \(text)") }

    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    enum Style: String {
        case bold = "1"
        case red = "31"
        case dim = "2"
    }

    /// Colours only on a terminal, and not on a plain one or under NO_COLOR.
    static func style(_ text: String, _ style: Style, isTerminal: Bool = isTerminal) -> String {
        guard isTerminal, !Terminal.isPlain, getenv("NO_COLOR").map({ $0.pointee == 0 }) ?? true else { return text }
        return "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m"
    }
}
