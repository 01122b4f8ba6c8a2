import CallFrameInfo
import ELF
import Glibc
import TableCompiler

/// Files of the machine that the tests run on.
enum RealFiles {
    /// A fixed selection of the ELF files in `directories`: sorted, every n-th, none larger than `largest` bytes.
    static func slice(_ directories: [String], count: Int, largest: Int) -> [String] {
        let files = directories.flatMap(regularFiles).filter { isELF($0, largest: largest) }
        guard files.count > count else { return files }
        return (0..<count).map { files[$0 * files.count / count] }
    }

    /// Whether `readelf` is installed.
    static var hasReadelf: Bool { system("readelf --version >/dev/null 2>&1") == 0 }

    /// The standard output of a command.
    static func output(of command: String) -> String {
        guard let pipe = popen(command, "r") else { return "" }
        defer { pclose(pipe) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&piece, 1, piece.count, pipe)
            if count == 0 { break }
            bytes += piece[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func regularFiles(_ directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            guard entry.pointee.d_type == UInt8(DT_REG) else { continue }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            names.append("\(directory)/\(name)")
        }
        return names.sorted()
    }

    private static func isELF(_ path: String, largest: Int) -> Bool {
        var status = stat()
        guard stat(path, &status) == 0, status.st_size <= largest, let file = fopen(path, "r") else { return false }
        defer { fclose(file) }
        var magic = [UInt8](repeating: 0, count: 4)
        return fread(&magic, 1, 4, file) == 4 && magic == [0x7f, 0x45, 0x4c, 0x46]
    }
}

/// Calls `body` with a file's own call frame sections and their names.
func withSections<Result>(of path: String, _ body: ([FrameSection], [String]) throws -> Result) throws -> Result {
    let sources = try FrameSources(of: ELFImage(path: path), search: nil)
    // The sections' bytes exist as long as the images in `sources`.
    return try withExtendedLifetime(sources) {
        try body(sources.sections, sources.names.map { String($0.dropFirst(path.utf8.count + 2)) })
    }
}
