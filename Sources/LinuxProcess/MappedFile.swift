import ELF
import Files
import Glibc

/// A file that a process maps, with a path through which it can be opened.
package struct MappedFile: Sendable {
    /// The path in the process's own file system or, if the name is gone, a link of the mapping or the process.
    package let path: String
    package let identity: FileIdentity
    /// Whether device and inode are those of the mapping. Some file systems (overlayfs, btrfs) report another device to
    /// stat(2) than in /proc/PID/maps: a file that only has the same inode must be compared with the memory.
    package let isCertain: Bool
    /// The path that the mapping is named by, for when the process is gone; nil if the file was deleted.
    private let name: String?

    /// Nil, with `errno` set, if the file can't be opened.
    package init?(_ mapping: ExecutableMapping, in process: Int32) {
        let range = String(mapping.start, radix: 16) + "-" + String(mapping.end, radix: 16)
        let named = mapping.isDeleted ? nil : "/proc/\(process)/root\(mapping.path)"
        // Opening it needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN, and the process's owner or root.
        let mapped = "/proc/\(process)/map_files/\(range)"
        let program = "/proc/\(process)/exe"
        var code = ENOENT
        var found: [Candidate] = []
        // The process may have ended by now. In another root directory, the path leads to another file, or to none.
        name = mapping.isDeleted ? nil : mapping.path
        for case let path? in [named, mapped, program, name] {
            var status = stat()
            guard path.withPath({ stat($0, &status) }) == 0 else {
                // Report why the mapping's own link can't be opened, rather than the other errors.
                if path == mapped || code == ENOENT { code = errno }
                continue
            }
            // The process may have put something else there: opening a FIFO would block, opening a device may have
            // effects.
            guard status.st_mode & S_IFMT == S_IFREG else { continue }
            let candidate = Candidate(
                path: path, identity: FileIdentity(status), file: FileNumber(status), isLink: path == mapped)
            found.append(candidate)
            // The first certain one is chosen: there is no need to look further.
            if candidate.isCertain(mapping) { break }
        }
        guard let choice = Self.choose(found, for: mapping) else {
            errno = code
            return nil
        }
        (path, identity, isCertain) = (choice.path, choice.identity, choice.isCertain(mapping))
    }

    package static let neededForMappings =
        "this needs CAP_CHECKPOINT_RESTORE (or CAP_SYS_ADMIN) and, for other users' processes, CAP_DAC_READ_SEARCH"

    /// A file that may be the mapped one.
    package struct Candidate {
        package var path: String
        package var identity: FileIdentity
        package var file: FileNumber
        /// Whether the path is the kernel's link from the mapping itself.
        package var isLink: Bool

        package func isCertain(_ mapping: ExecutableMapping) -> Bool { isLink || file == mapping.file }
    }

    /// The first one that is certainly the mapped file, else the first one that has its inode. Another file may have
    /// taken the name.
    package static func choose(_ candidates: [Candidate], for mapping: ExecutableMapping) -> Candidate? {
        candidates.first { $0.isCertain(mapping) } ?? candidates.first { $0.file.inode == mapping.inode }
    }

    /// Opens the image in the file.
    ///
    /// Throws ``ELFError`` if it can't be read, or if the path now leads to another file. The process may choose the
    /// path, and a file that it puts there must not be used to unwind other processes that map the original.
    package func image() throws(ELFError) -> ELFImage {
        do throws(ELFError) { return try image(at: path) } catch {
            // The process has ended since.
            if case .cannotOpen = error.kind, let name, let image = try? image(at: name) { return image }
            throw error
        }
    }

    private func image(at path: String) throws(ELFError) -> ELFImage {
        let image = try ELFImage(path: path)
        guard image.identity == identity else {
            throw ELFError(file: path, kind: .isAnotherFile)
        }
        return image
    }
}
