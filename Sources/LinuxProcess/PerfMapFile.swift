import Files
import Glibc

/// The file in which a process names the code that it generates, /tmp/perf-PID.map, kept open: it can be read after the
/// process has ended or the file was deleted.
package final class PerfMapFile: Sendable {
    package let file: Descriptor
    /// For messages.
    package let name: String
    /// When the process began, to tell it from later ones with its id.
    package let began: UInt64

    /// Opens the file of a process, in the process's own file system and by its own id; nil if there is none.
    ///
    /// - Throws: ``ProcessError/untrustedPerfMap(_:)`` if somebody other than the process's user or root could have written
    ///   it, or if it isn't a regular file.
    package init?(of process: Int32) throws(ProcessError) {
        guard let owner = ProcessOwner(of: process),
            let root = Descriptor(opening: "/proc/\(process)/root", O_RDONLY | O_DIRECTORY)
        else { return nil }
        name = "/tmp/perf-\(owner.innermostID).map"
        guard let file = Descriptor(openingRegularFile: name, inRoot: root) else {
            // A symbolic link, or something else that isn't a file.
            if errno == EINVAL || errno == ELOOP { throw .untrustedPerfMap(process) }
            return nil
        }
        guard let status = file.status() else { return nil }
        guard status.st_uid == owner.user || status.st_uid == 0 else { throw .untrustedPerfMap(process) }
        self.file = file
        began = owner.began
    }
}

/// Whom a process belongs to (proc(5)).
package struct ProcessOwner: Equatable, Sendable {
    /// The id in the innermost pid namespace, which the process itself knows.
    package private(set) var innermostID: Int32
    /// The effective user id.
    package private(set) var user: uid_t
    /// When it began, in clock ticks since boot.
    package private(set) var began: UInt64

    /// Nil if there is no such process, or if it has ended.
    package init?(of process: Int32) {
        guard let status = SystemFile.text("/proc/\(process)/status"),
            let stat = SystemFile.text("/proc/\(process)/stat"),
            let users = SystemFile.field("Uid", of: status)?.split(whereSeparator: { $0 == "\t" || $0 == " " }),
            users.count > 1, let user = uid_t(users[1]), let end = stat.lastIndex(of: ")")
        else { return nil }
        // The start is the 20th field after the name.
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        guard fields.count > 19, let began = UInt64(fields[19]) else { return nil }
        let ids = SystemFile.field("NSpid", of: status)?.split(separator: "\t") ?? []
        (innermostID, self.user, self.began) = (ids.last.flatMap { Int32($0) } ?? process, user, began)
    }
}
