import Glibc

/// Lists directories.
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
}
