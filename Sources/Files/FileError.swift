import Glibc

/// Why a file or a directory could not be written, or a directory not be listed.
public struct FileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What failed.
    public enum Action: String, Sendable {
        /// Creating a directory.
        case makeDirectory = "create directory"
        /// Listing a directory.
        case list
        /// Writing a file.
        case write
        /// Renaming a file into its place.
        case replace
    }

    /// What failed.
    public let action: Action
    /// Of the file or directory.
    public let path: String
    /// Of the system call that failed.
    public let errno: Int32

    /// The error of a system call.
    public init(cannot action: Action, path: String, errno: Int32) {
        self.action = action
        self.path = path
        self.errno = errno
    }

    /// A message with advice.
    public var description: String {
        let advice = Self.advice(errno, elsewhere: "write to another directory")
        return description(advice: advice ?? (errno == ENOENT ? "create the directory first" : nil))
    }

    package func description(advice: String?) -> String {
        "\(path): cannot \(action.rawValue): \(systemMessage(errno))" + (advice.map { ": " + $0 } ?? "")
    }

    /// What to do about an `errno`, if that doesn't depend on what the file is for.
    ///
    /// - Parameter elsewhere: how to have the file in another directory.
    package static func advice(_ code: Int32, elsewhere: String) -> String? {
        switch code {
        case ENOSPC: "free some space there, or \(elsewhere)"
        case EDQUOT: "the quota is used up: remove files, or \(elsewhere)"
        case EROFS: elsewhere
        case EACCES, EPERM: "make it writable for user \(geteuid()), or \(elsewhere)"
        case EFBIG: "raise the limit on file sizes (ulimit -f), or \(elsewhere)"
        case EIO: "the device reports errors (see the kernel log): \(elsewhere)"
        case ENOTDIR: "a file exists where a directory is needed: remove it, or \(elsewhere)"
        case EISDIR, ENOTEMPTY: "a directory exists where a file is needed: remove it, or \(elsewhere)"
        case EMFILE, ENFILE: "raise the limit on open files (ulimit -n), or use fewer threads"
        default: nil
        }
    }
}
