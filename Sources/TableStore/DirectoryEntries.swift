import Files
import Glibc

/// The names in a directory.
enum DirectoryEntries {
    /// Calls `body` with up to `limit` names, in no order.
    ///
    /// - Returns: the `errno` of `opendir(3)`, or nil.
    @discardableResult
    static func forEach(in path: String, limit: Int = .max, _ body: (String) -> Void) -> Int32? {
        guard let directory = path.withPath({ opendir($0) }) else { return errno }
        defer { closedir(directory) }
        var count = 0
        while count < limit, let entry = readdir(directory) {
            guard let name = entry.pointer(to: \.d_name) else { continue }
            count += 1
            body(String(cString: UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self)))
        }
        return nil
    }
}
