import Glibc

/// Lists and creates directories.
package enum Directory {
    /// The error of a system call.
    package struct Failure: Error {
        package let errno: Int32
        /// The names that were read before the error.
        package let names: [String]
    }

    /// The names in a directory, except `.` and `..`, in no particular order; strings as made by `String.init(path:)`.
    ///
    /// - Parameter limit: the most names to read.
    package static func names(in path: String, limit: Int = .max) throws(Failure) -> [String] {
        guard let directory = path.withPath({ opendir($0) }) else { throw Failure(errno: errno, names: []) }
        defer { closedir(directory) }
        var names: [String] = []
        errno = 0
        while names.count < limit, let entry = readdir(directory) {
            // The name is terminated within the record, which may be shorter than the structure.
            let name = entry.pointer(to: \.d_name).map { UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self) }
            if let name, strcmp(name, ".") != 0, strcmp(name, "..") != 0 { names.append(String(path: name)) }
            errno = 0
        }
        if errno != 0 { throw Failure(errno: errno, names: names) }
        return names
    }

    /// Creates a directory and its parents, as needed, writable only by this user.
    package static func make(_ path: String) throws(FileError) {
        guard path.withPath({ mkdir($0, 0o755) }) != 0 else { return }
        var code = errno
        if code == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try make(String(path[..<slash]))
            guard path.withPath({ mkdir($0, 0o755) }) != 0 else { return }
            code = errno
        }
        // Some file systems return EROFS or EACCES even if the directory exists.
        var status = stat()
        if path.withPath({ stat($0, &status) }) == 0 {
            if status.st_mode & S_IFMT == S_IFDIR { return }
            code = ENOTDIR
        }
        throw FileError(cannot: .makeDirectory, path: path, errno: code)
    }
}
