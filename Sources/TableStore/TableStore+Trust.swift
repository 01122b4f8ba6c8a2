import Files
import Glibc

// What root takes from a cache becomes what every process's stacks are unwound by, and where a cache leads root writes.
// docs/security.md
extension TableStore {
    /// Whether root may use what stands there: root's own, or this process's user's, and nobody else may write it.
    /// Other users choose whom they believe by the directory that they name.
    ///
    /// - Parameter user: whose privileges are at stake: the effective user.
    package static func isTrusted(owner: uid_t, mode: mode_t, user: uid_t = geteuid()) -> Bool {
        user != 0 || (owner == 0 && mode & (S_IWGRP | S_IWOTH) == 0)
    }

    func isTrusted(_ status: stat) -> Bool {
        isShared || Self.isTrusted(owner: status.st_uid, mode: status.st_mode)
    }

    /// Checks, for root, that nobody else can write the directory, nor put another one in its place: by a symbolic link
    /// or a directory on the way to it. One that isn't there yet is good: root will make it.
    ///
    /// - Throws: ``StoreError/writableByOthers(path:owner:)``, ``StoreError/replaceableByOthers(path:owner:)`` or
    ///   ``StoreError/linkOfOthers(path:owner:)``, unless ``isShared``.
    public func checkIsTrusted() throws(StoreError) {
        try checkWay()
        for path in [directory, directory + "/" + Self.buildIDDirectory] { try checkDirectory(path) }
    }

    /// Of a directory of the store: below the store's own, links are nobody's.
    func checkDirectory(_ path: String) throws(StoreError) {
        guard !isShared, geteuid() == 0 else { return }
        var status = stat()
        guard path.withPath({ path == directory ? stat($0, &status) : lstat($0, &status) }) == 0 else { return }
        guard status.st_mode & S_IFMT != S_IFLNK else { throw .linkOfOthers(path: path, owner: status.st_uid) }
        guard isTrusted(status) else { throw .writableByOthers(path: path, owner: status.st_uid) }
    }

    /// Goes the way that the kernel goes to the directory, name by name and link by link.
    func checkWay() throws(StoreError) {
        guard !isShared, geteuid() == 0 else { return }
        var rest = directory.split(separator: "/").map(String.init).reversed() as [String]
        var path = directory.hasPrefix("/") ? "" : "."
        // As many links as the kernel follows; beyond that it answers ELOOP itself.
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

    /// Of a directory on the way: nobody else may take away what stands in it, and put something else there. In a
    /// sticky one only its owner may, and who owns what stands there, which is looked at itself.
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

    /// Checks that tables can be put there, so that one says it once, and not of every table.
    ///
    /// - Throws: ``StoreError/file(_:)`` with the absolute path.
    public func checkIsWritable() throws(StoreError) {
        let place = directory + "/" + Self.buildIDDirectory
        do throws(FileError) {
            try Directory.make(place)
        } catch {
            throw .file(FileError(cannot: error.action, path: Self.absolute(error.path), errno: error.errno))
        }
        guard place.withPath({ access($0, W_OK | X_OK) }) != 0 else { return }
        throw .file(FileError(cannot: .write, path: Self.absolute(directory), errno: errno))
    }

    /// As far as it exists without symbolic links, from the root.
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
