import Glibc

/// Reads the small files in which the kernel describes itself and processes: proc(5), sysfs(5).
package enum SystemFile {
    /// The most bytes read; none of these files has as many.
    private static let limit = 1 << 14

    /// The contents; nil if the file can't be read or is empty.
    package static func text(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = read(descriptor, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }

    /// The first line, without the newline.
    package static func firstLine(_ path: String) -> String? {
        text(path).map { String($0.prefix { $0 != "\n" }) }
    }

    /// The value after `name:` in text with such lines, as in /proc/PID/status.
    package static func field(_ name: String, of text: String) -> Substring? {
        let line = text.split(separator: "\n").first { $0.hasPrefix(name + ":") }
        return line?.dropFirst(name.count + 1).drop { $0 == "\t" || $0 == " " }
    }
}
