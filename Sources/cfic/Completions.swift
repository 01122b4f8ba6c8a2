import ArgumentParser
import FoundationEssentials
import Glibc

/// Shell completions other than files and directories. The shells' scripts call this executable, so they all agree.
enum Completions {
    /// Process ids.
    static let processes = CompletionKind.custom { _, _, prefix in
        names(in: "/proc").filter { Int32($0) != nil && $0.hasPrefix(prefix) }
    }

    /// Executables in PATH or, after a slash, the executables and directories in that directory.
    static let commands = CompletionKind.custom { _, _, prefix in
        commands(prefix, path: getenv("PATH").map { String(cString: $0) } ?? "")
    }

    static func commands(_ prefix: String, path: String) -> [String] {
        guard let slash = prefix.lastIndex(of: "/") else {
            let directories = path.split(separator: ":").map(String.init)
            let found = directories.flatMap { directory in
                names(in: directory).filter { $0.hasPrefix(prefix) && isProgram("\(directory)/\($0)") }
            }
            return Set(found).sorted()
        }
        let directory = String(prefix[...slash])
        return names(in: directory).map { directory + $0 }.filter { $0.hasPrefix(prefix) }.compactMap { path in
            isDirectory(path) ? path + "/" : isProgram(path) ? path : nil
        }.sorted()
    }

    private static func names(in directory: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    }

    private static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private static func isProgram(_ path: String) -> Bool { !isDirectory(path) && access(path, X_OK) == 0 }
}
