import ELF
import Files
import Glibc

/// A file that a process maps, where it can be opened.
package struct MappedFile: Sendable {
    /// In the process's own file system; or, if its name is gone, through the mapping or the process.
    package let path: String
    package let identity: FileIdentity
    /// Whether device and inode are those of the mapping. Some file systems (overlayfs, btrfs) tell stat(2) another
    /// device than they tell who reads mappings: what has the inode only has to be compared with the memory.
    package let isCertain: Bool

    /// Nil, with `errno` set, if it can't be opened.
    package init?(_ mapping: ExecutableMapping, in process: Int32) {
        let range = String(mapping.start, radix: 16) + "-" + String(mapping.end, radix: 16)
        let named = mapping.isDeleted ? nil : "/proc/\(process)/root\(mapping.path)"
        // Needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN, and to be the process's owner, or root.
        let mapped = "/proc/\(process)/map_files/\(range)"
        let program = "/proc/\(process)/exe"
        var code = ENOENT
        let found = [named, mapped, program].compactMap { path -> Candidate? in
            guard let path else { return nil }
            var status = stat()
            guard path.withPath({ stat($0, &status) }) == 0 else {
                // What keeps the mapping from being opened is what matters.
                if path == mapped || code == ENOENT { code = errno }
                return nil
            }
            // Anything else may have been put there meanwhile: to open a FIFO waits, to open a device does something.
            guard status.st_mode & S_IFMT == S_IFREG else { return nil }
            return Candidate(
                path: path, identity: FileIdentity(status), file: FileNumber(status), isLink: path == mapped)
        }
        guard let choice = Self.choose(found, for: mapping) else {
            errno = code
            return nil
        }
        (path, identity, isCertain) = (choice.path, choice.identity, choice.isCertain(mapping))
    }

    package static let neededForMappings =
        "this needs CAP_CHECKPOINT_RESTORE (or CAP_SYS_ADMIN) and, for other users' processes, CAP_DAC_READ_SEARCH"

    /// A file that may be the one that is mapped.
    package struct Candidate {
        package var path: String
        package var identity: FileIdentity
        package var file: FileNumber
        /// Whether the kernel leads there from the mapping itself.
        package var isLink: Bool

        package func isCertain(_ mapping: ExecutableMapping) -> Bool { isLink || file == mapping.file }
    }

    /// The first that is certainly the file, else the first that has its inode: another file may have taken the name.
    package static func choose(_ candidates: [Candidate], for mapping: ExecutableMapping) -> Candidate? {
        candidates.first { $0.isCertain(mapping) } ?? candidates.first { $0.file.inode == mapping.inode }
    }

    /// The image in it.
    ///
    /// Throws ``ELFError`` if it can't be read, or if the path, which the process may choose, leads to another file by
    /// now: what is found there must not become what other processes' mappings of this file are unwound by.
    package func image() throws(ELFError) -> ELFImage {
        let image = try ELFImage(path: path)
        guard image.identity == identity else {
            throw ELFError(file: path, kind: .isAnotherFile)
        }
        return image
    }
}
