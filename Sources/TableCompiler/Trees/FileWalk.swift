import Files
import Glibc

/// A file that a walk found.
public struct FoundFile: Sendable {
    /// Its path, as the walk reached it.
    public var path: String
    /// In bytes.
    public var size: UInt64
    /// Whether the user named the file itself, not a directory that contains it.
    public var isNamed: Bool
}

/// Finds the regular files among the paths and, recursively, in directories.
///
/// Symbolic links are followed only if the user named them, so that there are no loops. A directory that is its own
/// ancestor, by a bind mount, is not entered. Each file is found once, under its first name. The order is that of the
/// paths, then of names.
public struct FileWalk {
    /// The files, in the order of the walk.
    public private(set) var files: [FoundFile] = []
    /// Paths that couldn't be read, with errno's text.
    public private(set) var problems: [(path: String, problem: String)] = []
    /// Number of further names of files that were already found.
    public private(set) var hardLinkCount = 0
    /// Number of symbolic links, devices and other special files in directories.
    public private(set) var passedOverCount = 0

    /// Of each file.
    private var identities: [Identity] = []
    private var ancestors: [Identity] = []

    private struct Identity: Hashable {
        var device: UInt64
        var inode: UInt64

        init(_ status: stat) {
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
        }
    }

    /// Finds all files.
    ///
    /// - Parameter paths: files, and directories that are searched with all directories in them.
    public init(_ paths: [String]) {
        for path in paths {
            var status = stat()
            guard path.withPath({ stat($0, &status) }) == 0 else {
                note(path, errno)
                continue
            }
            visit(path, status, isNamed: true)
        }
        if files.count > 1 { removeFurtherNames() }
    }

    private mutating func removeFurtherNames() {
        var seen: Set<Identity> = []
        let firsts = zip(files, identities).filter { seen.insert($1).inserted }
        hardLinkCount = files.count - firsts.count
        files = firsts.map(\.0)
    }

    private mutating func note(_ path: String, _ code: Int32) {
        problems.append((path, systemMessage(code)))
    }

    private mutating func visit(_ path: String, _ status: stat, isNamed: Bool) {
        switch status.st_mode & S_IFMT {
        case S_IFDIR: enter(path, Identity(status))
        case S_IFREG:
            identities.append(Identity(status))
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
        // Otherwise a bind mount of an ancestor would be entered again and again, until PATH_MAX.
        guard !ancestors.contains(identity) else { return }
        var names: [String]
        do throws(Directory.Failure) { names = try Directory.names(in: path) } catch {
            note(path, error.errno)
            names = error.names
        }
        ancestors.append(identity)
        let prefix = path.hasSuffix("/") ? path : path + "/"
        // Compare bytes, because names that differ may be equal as Unicode text.
        for name in names.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            var status = stat()
            guard (prefix + name).withPath({ lstat($0, &status) }) == 0 else {
                // It was removed meanwhile.
                note(prefix + name, errno)
                continue
            }
            visit(prefix + name, status, isNamed: false)
        }
        ancestors.removeLast()
    }
}
