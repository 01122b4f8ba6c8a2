import Files
import Glibc

/// Names temporary files, and removes those that killed processes left behind.
enum StaleTemporaries {
    /// Seconds; far longer than any write takes.
    static let age = 3600
    /// The most entries that one insertion examines, and the most that it removes.
    static let lookLimit = 4096
    static let removalLimit = 64

    private static let prefix = ".cfic-"
    private static let suffix = ".tmp"

    static func newPath(in directory: String) -> String {
        "\(directory)/\(prefix)\(Hex.text(UInt64.random(in: .min ... .max)))\(suffix)"
    }

    /// Removes temporary files that haven't been written to for ``age`` seconds; best effort.
    static func remove(from directory: String) {
        var stale: [String] = []
        let oldest = time(nil) - age
        DirectoryEntries.forEach(in: directory, limit: lookLimit) { name in
            guard name.hasPrefix(prefix), name.hasSuffix(suffix), stale.count < removalLimit else { return }
            let path = directory + "/" + name
            var status = stat()
            guard path.withPath({ lstat($0, &status) }) == 0, status.st_mode & S_IFMT == S_IFREG else { return }
            if status.st_mtim.tv_sec < oldest { stale.append(path) }
        }
        for path in stale { path.withPath { _ = unlink($0) } }
    }
}
