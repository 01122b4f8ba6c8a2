import Files
import Glibc

/// A file that a walk found.
public struct FoundFile: Sendable {
    public var path: String
    /// Bytes.
    public var size: UInt64
    /// Whether the user named it, rather than a directory that it is in.
    public var isNamed: Bool
}

/// Finds the regular files that paths stand for: files themselves, directories with all that is below them.
///
/// Symbolic links are followed where the user names them and nowhere else, so that no loop of links can be
/// entered; a directory that is its own ancestor (by a bind mount) is not entered either. Of hard links the
/// first counts. The order is that of the paths, then by name.
public struct FileWalk {
    public private(set) var files: [FoundFile] = []
    /// Paths that could not be read, with errno's text.
    public private(set) var problems: [(path: String, problem: String)] = []
    /// Further names of files found before.
    public private(set) var hardLinkCount = 0
    /// Symbolic links, devices and the like in directories.
    public private(set) var passedOverCount = 0

    private var seen: Set<Identity> = []
    private var ancestors: [Identity] = []

    private struct Identity: Hashable {
        var device: UInt64
        var inode: UInt64

        init(_ status: stat) {
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
        }
    }

    public init(_ paths: [String]) {
        for path in paths {
            var status = stat()
            guard path.withPath({ stat($0, &status) }) == 0 else {
                note(path, errno)
                continue
            }
            visit(path, status, isNamed: true)
        }
    }

    private mutating func note(_ path: String, _ code: Int32) {
        problems.append((path, systemMessage(code)))
    }

    private mutating func visit(_ path: String, _ status: stat, isNamed: Bool) {
        switch status.st_mode & S_IFMT {
        case S_IFDIR: enter(path, Identity(status))
        case S_IFREG:
            guard seen.insert(Identity(status)).inserted else {
                hardLinkCount += 1
                return
            }
            files.append(FoundFile(path: path, size: UInt64(clamping: status.st_size), isNamed: isNamed))
        default:
            if isNamed {
                problems.append((path, "neither a file nor a directory"))
            } else {
                passedOverCount += 1
            }
        }
    }

    private mutating func enter(_ path: String, _ identity: Identity) {
        // PATH_MAX bounds the depth; a bind mount of an ancestor would otherwise use it up.
        guard !ancestors.contains(identity) else { return }
        var names: [String]
        do throws(Directory.Failure) { names = try Directory.names(in: path) } catch {
            note(path, error.errno)
            names = error.names
        }
        ancestors.append(identity)
        let prefix = path.hasSuffix("/") ? path : path + "/"
        // By their bytes: two names may be the same text to Unicode.
        for name in names.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            var status = stat()
            guard (prefix + name).withPath({ lstat($0, &status) }) == 0 else {
                // Removed meanwhile.
                note(prefix + name, errno)
                continue
            }
            visit(prefix + name, status, isNamed: false)
        }
        ancestors.removeLast()
    }
}
