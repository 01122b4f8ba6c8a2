import Glibc

/// Names temporary files, and removes those that killed processes left behind.
package enum TemporaryFiles {
    /// Seconds; far longer than any write takes.
    static let staleAge = 3600
    /// The most entries of a directory that are examined, and the most that are removed.
    static let lookLimit = 4096
    static let removalLimit = 64

    private static let prefix = ".cfic-"
    private static let suffix = ".tmp"

    static func newPath(in directory: String) -> String {
        "\(directory)/\(prefix)\(Hex.text(UInt64.random(in: .min ... .max), digits: 16))\(suffix)"
    }

    /// Removes temporary files that haven't been written to for ``staleAge`` seconds; best effort.
    package static func removeStale(from directory: String) {
        let names: [String]
        do throws(Directory.Failure) {
            names = try Directory.names(in: directory, limit: lookLimit)
        } catch {
            names = error.names
        }
        let oldest = time(nil) - staleAge
        let stale = names.lazy.filter { name in
            guard name.hasPrefix(prefix), name.hasSuffix(suffix) else { return false }
            var status = stat()
            guard "\(directory)/\(name)".withPath({ lstat($0, &status) }) == 0 else { return false }
            return status.st_mode & S_IFMT == S_IFREG && status.st_mtim.tv_sec < oldest
        }
        for name in stale.prefix(removalLimit) { "\(directory)/\(name)".withPath { _ = unlink($0) } }
    }
}
