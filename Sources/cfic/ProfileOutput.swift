import Files
import Glibc

/// Where a profile goes. That it can be written is checked before anything is recorded; and what was recorded goes
/// somewhere, even if that was true no longer.
struct ProfileOutput {
    /// Nil: standard output.
    private let path: String?

    init(path: String?) throws {
        self.path = path
        if let path { try OutputFile.checkWritable(path) }
    }

    /// - Throws: ``Failure`` that says where it is instead, if it isn't where it should be.
    func write(_ text: ProfileText) throws {
        guard let problem = failure(of: text, path) else { return }
        for directory in Self.directories {
            if let other = Self.save(text, in: directory) { throw Failure("\(problem); the profile is in \(other)") }
        }
        guard path != nil, failure(of: text, nil) == nil else { throw Failure("\(problem), nor anywhere else") }
        throw Failure("\(problem); the profile went to standard output")
    }

    /// For a file of another file system than the one that is full.
    private static var directories: [String] {
        (getenv("TMPDIR").map { [String(cString: $0)] } ?? []) + ["/tmp", "/var/tmp", "/dev/shm"]
    }

    /// Writes to a new file, which nobody else can read, or prepare under its name.
    ///
    /// - Returns: its path, if all went well.
    private static func save(_ text: ProfileText, in directory: String) -> String? {
        var path = Array("\(directory)/cfic-profile-XXXXXX".utf8CString)
        let file = mkstemp(&path)
        guard file >= 0 else { return nil }
        defer { close(file) }
        do {
            try OutputFile.write(to: "/dev/fd/\(file)") { try text.write(to: &$0) }
            return path.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        } catch {
            unlink(path)
            return nil
        }
    }

    /// Why it could not be written.
    private func failure(of text: ProfileText, _ path: String?) -> String? {
        do {
            if let path {
                try OutputFile.write(to: path) { try text.write(to: &$0) }
                return nil
            }
            var out = FailingOutput()
            try text.write(to: &out)
            out.flush()
            guard let code = out.code else { return nil }
            // The reader has gone, and wants no more.
            if code == EPIPE { exit(1) }
            return "cannot write to standard output: \(systemMessage(code))"
        } catch {
            return "\(error)"
        }
    }
}

/// Standard output that remembers its first failure instead of ending the program.
private struct FailingOutput: ByteSink {
    private var buffer: [UInt8] = []
    /// The errno; nothing is written any more.
    private(set) var code: Int32?

    mutating func write(_ bytes: UnsafeRawBufferPointer) {
        guard code == nil else { return }
        buffer.append(contentsOf: bytes)
        if buffer.count >= 1 << 16 { flush() }
    }

    mutating func flush() {
        if code == nil { code = buffer.withUnsafeBytes { Descriptor.write($0, to: STDOUT_FILENO) } }
        buffer.removeAll(keepingCapacity: true)
    }
}
