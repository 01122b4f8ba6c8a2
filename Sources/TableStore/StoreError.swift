import Files

/// Why something could not be stored or found.
public enum StoreError: Error, Equatable, Sendable {
    /// No `CFIC_CACHE`, `XDG_CACHE_HOME` or `HOME`, and no home directory in the user database.
    case noDirectory
    /// A file or directory of the store.
    case file(FileError)
    /// A key that isn't 1 to 48 bytes long.
    case invalidKey(byteCount: Int)
    /// The bytes to insert are not a table, or have another key.
    case notTheTable(NotCurrent)
    /// Not hexadecimal digits, or too few.
    case invalidPrefix(String)
    /// No table whose build id begins with these digits.
    case noSuchBuildID(String, directory: String)
    /// Several tables match: at most 16 of `count`, by build id and digest in lowercase hex, sorted.
    case ambiguous(prefix: String, candidates: [String], count: Int)
    /// Root refuses a directory that others can write to.
    case writableByOthers(path: String, owner: UInt32)
    /// Root refuses a path with a directory in which others can replace the next component.
    case replaceableByOthers(path: String, owner: UInt32)
    /// Root refuses a symbolic link that belongs to another user.
    case linkOfOthers(path: String, owner: UInt32)
    /// A table was found, but can't be used.
    case unusable(path: String, NotCurrent)
}

extension StoreError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noDirectory:
            return "no cache directory is known: set CFIC_CACHE"
        case .file(let error):
            let elsewhere = "choose another directory (--cache, CFIC_CACHE)"
            let advice = FileError.advice(error.errno, elsewhere: elsewhere)
            return error.description(advice: advice ?? "if the error persists, \(elsewhere)")
        case .invalidKey(let byteCount):
            return "invalid key of \(byteCount) bytes: keys have 1 to 48"
        case .notTheTable(let reason):
            return "not stored: \(reason)"
        case .invalidPrefix(let text):
            return "'\(text)' is not a build id: give it in full, or at least 2 hexadecimal digits of it"
        case .noSuchBuildID(let text, let directory):
            return "\(directory): no table whose build id begins with \(text): compile its file first"
        case .ambiguous(let prefix, let candidates, let count):
            let more = count > candidates.count ? ", ... (\(count) in all)" : ""
            return "\(prefix) matches more than one table: \(candidates.joined(separator: ", "))\(more): "
                + "give more digits"
        case .writableByOthers(let path, let owner):
            return (owner == 0 ? "\(path): not only root can write to it" : "\(path): it belongs to user \(owner)")
                + ", so others could plant tables that root would use: choose another directory "
                + "(--cache, CFIC_CACHE), or pass --shared-cache"
        case .replaceableByOthers(let path, let owner):
            return (owner == 0 ? "\(path): not only root can write to it" : "\(path): it belongs to user \(owner)")
                + ", so others could redirect it to another cache: choose another directory "
                + "(--cache, CFIC_CACHE), or pass --shared-cache"
        case .linkOfOthers(let path, let owner):
            return "\(path): a symbolic link of user \(owner), which root doesn't follow to its cache: specify the "
                + "target directory, or pass --shared-cache"
        case .unusable(let path, let reason):
            return "\(path): \(reason): compile its file again"
        }
    }
}
