import Glibc
import Symbols
import TableStore

/// Where a profile goes. That it can be written is checked before anything is recorded; and what was recorded goes
/// somewhere, even if that was true no longer.
struct ProfileOutput {
    /// Nil: standard output.
    private let path: String?

    init(path: String?) throws {
        self.path = path
        if let path { try TableStore.checkWritable(path) }
    }

    /// - Throws: ``Failure`` that says where it is instead, if it isn't where it should be.
    func write(_ text: String) throws {
        guard let problem = failure(of: text, path) else { return }
        for directory in Self.directories {
            let other = "\(directory)/cfic-profile-\(getpid())"
            if failure(of: text, other) == nil { throw Failure("\(problem); the profile is in \(other)") }
        }
        guard path != nil, failure(of: text, nil) == nil else { throw Failure("\(problem), nor anywhere else") }
        throw Failure("\(problem); the profile went to standard output")
    }

    /// For a file of another file system than the one that is full.
    private static var directories: [String] {
        (getenv("TMPDIR").map { [String(cString: $0)] } ?? []) + ["/tmp", "/var/tmp", "/dev/shm"]
    }

    /// Why it could not be written.
    private func failure(of text: String, _ path: String?) -> String? {
        guard let path else {
            var printable = PrintableText.ofLines(text)
            let written = printable.withUTF8 { TableStore.write(UnsafeRawBufferPointer($0), to: STDOUT_FILENO) }
            guard let code = written else { return nil }
            // The reader has gone, and wants no more.
            if code == EPIPE { exit(1) }
            return "cannot write to standard output: \(String(cString: strerror(code)))"
        }
        var text = text
        do {
            try text.withUTF8 { try TableStore.write(UnsafeRawBufferPointer($0), to: path) }
            return nil
        } catch {
            return "\(error)"
        }
    }
}
