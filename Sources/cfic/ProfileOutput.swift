import Files
import Glibc
import Profile
import ProfileFormats

/// The destination of a profile. It is checked before recording; if it fails nevertheless, the profile is saved
/// elsewhere.
struct ProfileOutput {
    enum Destination {
        case standardOutput
        /// A file that the user named: `OutputFile`.
        case path(String)
        /// A file that nobody named.
        case unnamed(AtomicFile)
    }

    private let destination: Destination
    let format: any ProfileFormat

    init(_ destination: Destination, _ type: ProfileFileType) throws {
        (self.destination, format) = (destination, type.format)
        switch destination {
        case .standardOutput: break
        case .path(let path): try OutputFile.checkWritable(path)
        case .unnamed(let file):
            do { try file.check() } catch {
                throw Failure(error.description(advice: "name a file in another directory with -o"))
            }
        }
    }

    /// A flame graph in the current directory, which may be anybody's. Whatever has the name is replaced and not opened,
    /// so that a link leads nowhere. Only the user can read it, because it shows what others do; under sudo it is that of
    /// the user who called sudo.
    static func page() throws -> ProfileOutput {
        try ProfileOutput(
            .unnamed(AtomicFile(directory: ".", name: pageName, mode: 0o600, owner: CallingUser.ofSudo)), .html)
    }

    static let pageName = "cfic.html"

    /// The path of ``page()``, for people.
    static var pagePath: String {
        guard let directory = getcwd(nil, 0) else { return pageName }
        defer { free(directory) }
        let path = String(path: directory)
        return (path == "/" ? "" : path) + "/" + pageName
    }

    /// Whether it is ``page()``.
    var isPage: Bool { if case .unnamed = destination { true } else { false } }

    /// Whether the format shows processes.
    var tellsProcessesApart: Bool { format.tellsProcessesApart }
    /// Whether it shows when samples were taken.
    var needsTimes: Bool { format.needsTimes }

    /// Whether the format shows instructions or files.
    var tellsInstructionsApart: Bool { format.tellsInstructionsApart }

    /// - Throws: ``Failure`` if the profile can't be written; it states where the profile is instead.
    func write(_ profile: RecordedProfile) throws {
        try write(ProfileText(profile: .recording(profile), format: format))
    }

    /// Writes a profile that was read from a file; else as ``write(_:)``.
    ///
    /// - Parameter other: in place of ``format``.
    func write(_ profile: NamedProfile, as other: any ProfileFormat) throws {
        try write(ProfileText(profile: .file(profile), format: other))
    }

    private func write(_ text: ProfileText) throws {
        guard let problem = failure(of: text, destination) else { return }
        for directory in Self.directories {
            if let other = Self.save(text, in: directory) {
                throw Failure("\(problem); the profile was saved to \(other)")
            }
        }
        if case .standardOutput = destination {
            throw Failure("\(problem); it could not be saved anywhere else either")
        }
        guard failure(of: text, .standardOutput) == nil else {
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
    private func failure(of text: ProfileText, _ destination: Destination) -> String? {
        do {
            switch destination {
            case .path(let path): try OutputFile.write(to: path) { try text.write(to: &$0) }
            case .unnamed(let file): try file.replace(isDurable: true) { try text.write(to: &$0) }
            case .standardOutput:
                // Not `StandardOutput`, which ends cfic on a failure.
                var output = PieceOutput { Descriptor.write($0, to: STDOUT_FILENO) }
                try text.write(to: &output)
                guard let code = output.finish() else { break }
                // The reader closed the pipe.
                if code == EPIPE { exit(1) }
                return "cannot write to standard output: \(systemMessage(code))"
            }
            return nil
        } catch {
            return "\(error)"
        }
    }
}
