import ELF
import Files
import Glibc

/// A file that a process maps, where it can be opened.
struct MappedFile: Sendable {
    /// As the process sees it.
    let name: String
    /// In the process's own file system; or, if its name is gone, through the mapping.
    let path: String
    let identity: FileIdentity

    /// Nil, with `errno` set, if it can't be opened.
    init?(_ mapping: ExecutableMapping, in process: Int32) {
        name = mapping.path
        var status = stat()
        if !mapping.isDeleted {
            let path = "/proc/\(process)/root\(mapping.path)"
            // Another file may have taken the name.
            if path.withPath({ stat($0, &status) }) == 0, status.st_ino == mapping.inode {
                (self.path, identity) = (path, FileIdentity(status))
                return
            }
        }
        let range = String(mapping.start, radix: 16) + "-" + String(mapping.end, radix: 16)
        path = "/proc/\(process)/map_files/\(range)"
        guard path.withPath({ stat($0, &status) }) == 0 else { return nil }
        identity = FileIdentity(status)
    }

    /// The image in it.
    ///
    /// Throws ``ELFError`` if it can't be read, or if the path, which the process may choose, leads to another file by
    /// now: what is found there must not become what other processes' mappings of this file are unwound by.
    func image() throws(ELFError) -> ELFImage {
        let image = try ELFImage(path: path)
        guard image.identity == identity else {
            throw ELFError(file: path, kind: .isAnotherFile)
        }
        return image
    }
}
