import ArgumentParser
import Glibc
import ProfileFormats

extension ProfileFileType: ExpressibleByArgument {}

/// Where profiles are written, and in which formats.
struct OutputOptions: ParsableArguments {
    private static let extensions = ProfileFileType.allCases.map(\.extensions[0]).joined(separator: ", ")

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp(
            "Write the profile to this file, in the format of its extension (\(extensions)); without one, folded. "
                + "May be repeated. (default: stdout, folded; on a terminal, cfic.html)", valueName: "file"),
        completion: .file())
    var paths: [String] = []

    @Option(
        help: ArgumentHelp(
            "The format, whatever the file's extension is.", valueName: "format"))
    var format: ProfileFileType?

    @Flag(help: "The same as --format json.")
    var json = false

    func validate() throws {
        if json, let format, format != .json {
            throw ValidationError("--json and --format \(format) contradict each other.")
        }
        for (index, path) in paths.enumerated() {
            if paths[..<index].contains(path) { throw ValidationError("'\(path)' is named twice.") }
            if type(of: path) == nil {
                throw ValidationError(
                    "'\(path)' has none of the extensions \(Self.extensions). Add one of them, or use --format.")
            }
        }
        if paths.isEmpty, forced?.isText == false, isatty(STDOUT_FILENO) == 1 {
            throw ValidationError("A terminal can't show this format. Use -o, or write to a pipe.")
        }
    }

    /// Whether a format was chosen.
    var isForced: Bool { forced != nil }

    /// Whether everything is to be JSON.
    var isJSON: Bool { forced == .json }

    /// Whether an output was asked for.
    var isAsked: Bool { !paths.isEmpty || forced != nil }

    private var forced: ProfileFileType? { json ? .json : format }

    /// Nil if neither the options nor the path tell it.
    private func type(of path: String) -> ProfileFileType? {
        forced ?? ProfileFileType(path: path) ?? (Self.hasExtension(path) ? nil : .folded)
    }

    /// Whether a file's name has a part that would tell its format: not `stacks`, /dev/null or a pipe.
    private static func hasExtension(_ path: String) -> Bool {
        let name = path.split(separator: "/").last ?? ""
        guard name.dropFirst().contains(".") else { return false }
        var status = stat()
        return stat(path, &status) != 0 || status.st_mode & S_IFMT == S_IFREG
    }

    /// The outputs, which can be written to at this moment. Without paths it is standard output, or a page if that would
    /// be a terminal.
    func outputs() throws -> [ProfileOutput] {
        if paths.isEmpty, forced == nil, isatty(STDOUT_FILENO) == 1 { return [try ProfileOutput.page()] }
        if paths.isEmpty { return [try ProfileOutput(.standardOutput, forced ?? .folded)] }
        return try paths.map { try ProfileOutput(.path($0), type(of: $0) ?? .folded) }
    }
}
