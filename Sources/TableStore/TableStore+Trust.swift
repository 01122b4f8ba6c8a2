import Files
import Glibc

// Tables from a cache that root uses determine how the stacks of all processes are unwound, and root writes wherever
// the cache's path leads: docs/security.md.
extension TableStore {
    /// Whether a process may trust a file or directory. Root trusts only what belongs to root and is writable by nobody
    /// else. Other users decide whom to trust by the directory that they name.
    ///
    /// - Parameter user: the effective user, whose privileges are at stake.
    package static func isTrusted(owner: uid_t, mode: mode_t, user: uid_t = geteuid()) -> Bool {
        user != 0 || (owner == 0 && mode & (S_IWGRP | S_IWOTH) == 0)
    }

    func isTrusted(_ status: stat) -> Bool {
        isShared || Self.isTrusted(owner: status.st_uid, mode: status.st_mode)
    }

    /// Checks, for root, that nobody else can write to the directory or replace it, by a symbolic link or by a
    /// directory on the path. A directory that doesn't exist yet passes, because root will create it.
    ///
    /// - Throws: ``StoreError/writableByOthers(path:owner:)``, ``StoreError/replaceableByOthers(path:owner:)`` or
    ///   ``StoreError/linkOfOthers(path:owner:)``, unless ``isShared``.
    package func checkIsTrusted() throws(StoreError) {
        try checkWay()
        for path in [directory, directory + "/" + Self.buildIDDirectory] { try checkDirectory(path) }
    }

    /// Checks a directory of the store. Below the store's own directory, symbolic links are never accepted.
    func checkDirectory(_ path: String) throws(StoreError) {
        guard !isShared, geteuid() == 0 else { return }
        var status = stat()
        guard path.withPath({ path == directory ? stat($0, &status) : lstat($0, &status) }) == 0 else { return }
        guard status.st_mode & S_IFMT != S_IFLNK else { throw .linkOfOthers(path: path, owner: status.st_uid) }
        guard isTrusted(status) else { throw .writableByOthers(path: path, owner: status.st_uid) }
    }

    /// Follows the path to the directory as the kernel does, component by component and link by link.
    func checkWay() throws(StoreError) {
        guard !isShared, geteuid() == 0 else { return }
        var rest = directory.split(separator: "/").map(String.init).reversed() as [String]
        var path = directory.hasPrefix("/") ? "" : "."
        // The kernel's limit, beyond which it returns ELOOP.
        var linksLeft = 40
        while let name = rest.popLast() {
            try checkStep(path.isEmpty ? "/" : path)
            let next = path + "/" + name
            var status = stat()
            guard next.withPath({ lstat($0, &status) }) == 0 else { return }
            guard status.st_mode & S_IFMT == S_IFLNK else {
                path = next
                continue
            }
            guard status.st_uid == 0 else { throw .linkOfOthers(path: next, owner: status.st_uid) }
            linksLeft -= 1
            guard linksLeft > 0, let target = Self.target(of: next) else { return }
            if target.hasPrefix("/") { path = "" }
            rest += target.split(separator: "/").map(String.init).reversed()
        }
    }

    /// Checks a directory on the path: nobody else may replace an entry in it. In a sticky directory, only its owner
    /// and the entry's owner can, and the entry is checked separately.
    private func checkStep(_ path: String) throws(StoreError) {
        var status = stat()
        guard path.withPath({ lstat($0, &status) }) == 0 else { return }
        let mode = status.st_mode & S_ISVTX != 0 ? status.st_mode & ~(S_IWGRP | S_IWOTH) : status.st_mode
        guard Self.isTrusted(owner: status.st_uid, mode: mode) else {
            throw .replaceableByOthers(path: path, owner: status.st_uid)
        }
    }

    private static func target(of link: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            guard let start = buffer.baseAddress else { return nil }
            let count = link.withPath { readlink($0, start, buffer.count) }
            return count > 0 ? String(path: buffer[..<count].map(UInt8.init(bitPattern:))) : nil
        }
    }

    /// Checks that tables can be stored, so that a problem is reported once, not for each table.
    ///
    /// - Throws: ``StoreError/file(_:)`` with the absolute path.
    package func checkIsWritable() throws(StoreError) {
        let place = directory + "/" + Self.buildIDDirectory
        do throws(FileError) {
            try Directory.make(place)
        } catch {
            throw .file(FileError(cannot: error.action, path: Self.absolute(error.path), errno: error.errno))
        }
        guard place.withPath({ access($0, W_OK | X_OK) }) != 0 else { return }
        throw .file(FileError(cannot: .write, path: Self.absolute(directory), errno: errno))
    }

    /// The absolute path; symbolic links are resolved in the part that exists.
    private static func absolute(_ path: String) -> String {
        if let resolved = path.withPath({ realpath($0, nil) }) {
            defer { free(resolved) }
            return String(path: resolved)
        }
        guard let slash = path.lastIndex(of: "/") else { return absolute(".") + "/" + path }
        let parent = String(path[..<slash])
        return (parent.isEmpty ? "" : absolute(parent)) + path[slash...]
    }
}
