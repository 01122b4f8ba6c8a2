import Files
import Glibc

/// Temporary files under a name, and those that killed processes left behind.
enum StaleTemporaries {
    /// Far longer than any write takes.
    static let age = 3600
    /// How many entries one insertion looks at, and how many it removes, at most.
    static let lookLimit = 4096
    static let removalLimit = 64

    private static let prefix = ".cfic-"
    private static let suffix = ".tmp"

    static func newPath(in directory: String) -> String {
        "\(directory)/\(prefix)\(Hex.text(UInt64.random(in: .min ... .max)))\(suffix)"
    }

    /// Removes temporaries that nobody has written to for ``age`` seconds; best effort.
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
