import Files
import Glibc
import Profile
import ProfileFormats

/// The destination of a profile. It is checked before recording; if it fails nevertheless, the profile is saved
/// elsewhere.
struct ProfileOutput {
    /// Nil: standard output.
    let path: String?
    let format: any ProfileFormat

    init(path: String?, _ type: ProfileFileType) throws {
        (self.path, format) = (path, type.format)
        if let path { try OutputFile.checkWritable(path) }
    }

    /// Whether the format shows processes.
    var tellsProcessesApart: Bool { format.tellsProcessesApart }

    /// Whether the format shows instructions or files.
    var tellsInstructionsApart: Bool { format.tellsInstructionsApart }

    /// - Throws: ``Failure`` if the profile can't be written; it states where the profile is instead.
    func write(_ profile: RecordedProfile) throws {
        let text = ProfileText(profile: profile, format: format)
        guard let problem = failure(of: text, path) else { return }
        for directory in Self.directories {
            if let other = Self.save(text, in: directory) {
                throw Failure("\(problem); the profile was saved to \(other)")
            }
        }
        guard path != nil, failure(of: text, nil) == nil else {
            throw Failure("\(problem); it could not be saved anywhere else either")
        }
        throw Failure("\(problem); the profile was written to standard output")
    }

    /// Directories that may be on a different file system than the full one.
    private static var directories: [String] {
        (getenv("TMPDIR").map { [String(cString: $0)] } ?? []) + ["/tmp", "/var/tmp", "/dev/shm"]
    }

    /// Writes to a new file with an unpredictable name, readable only by this user.
    ///
    /// - Returns: its path; nil on failure.
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

    /// Why the profile could not be written; nil on success.
    private func failure(of text: ProfileText, _ path: String?) -> String? {
        do {
            if let path {
                try OutputFile.write(to: path) { try text.write(to: &$0) }
                return nil
            }
            // Not `StandardOutput`, which ends cfic on a failure.
            var output = PieceOutput { Descriptor.write($0, to: STDOUT_FILENO) }
            try text.write(to: &output)
            guard let code = output.finish() else { return nil }
            // The reader closed the pipe.
            if code == EPIPE { exit(1) }
            return "cannot write to standard output: \(systemMessage(code))"
        } catch {
            return "\(error)"
        }
    }
}
