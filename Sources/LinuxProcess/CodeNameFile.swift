import Files
import Glibc

/// A file in which a process names the code that it generates, kept open: it can be read after the process has ended or the
/// file was deleted.
package final class CodeNameFile: Sendable {
    package enum Kind: Sendable {
        /// Text, by convention in /tmp/perf-PID.map.
        case perfMap
        /// Records, in a file jit-PID.dump that the process maps executable to show where it is.
        case jitDump
    }

    package let file: Descriptor
    /// For messages.
    package let name: String
    package let kind: Kind
    /// When the process began, to tell it from later ones with its id.
    package let began: UInt64

    /// Opens the perf map of a process, in the process's own file system and by its own id; nil if there is none.
    ///
    /// - Throws: ``ProcessError/untrustedNames(_:_:)`` if somebody other than the process's user or root could have written
    ///   it, or if it isn't a regular file.
    package static func perfMap(of process: Int32) throws(ProcessError) -> CodeNameFile? {
        guard let owner = ProcessOwner(of: process) else { return nil }
        return try CodeNameFile(.perfMap, "/tmp/perf-\(owner.innermostID).map", of: process, owner)
    }

    /// Opens a file that a process maps, if its name is that of a dump of records; nil otherwise.
    ///
    /// - Throws: as ``perfMap(of:)``.
    package static func jitDump(mappedAs path: String, by process: Int32) throws(ProcessError) -> CodeNameFile? {
        guard isJITDump(path), let owner = ProcessOwner(of: process) else { return nil }
        return try CodeNameFile(.jitDump, path, of: process, owner)
    }

    /// Whether a path ends in `jit-PID.dump`.
    package static func isJITDump(_ path: String) -> Bool {
        let name = path.utf8.suffix(64).split(separator: UInt8(ascii: "/")).last ?? path.utf8.suffix(0)
        guard name.starts(with: "jit-".utf8), name.count > 9, name.suffix(5).elementsEqual(".dump".utf8) else {
            return false
        }
        return name.dropFirst(4).dropLast(5).allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    private init?(_ kind: Kind, _ path: String, of process: Int32, _ owner: ProcessOwner) throws(ProcessError) {
        guard let root = Descriptor(opening: "/proc/\(process)/root", O_RDONLY | O_DIRECTORY) else { return nil }
        guard let file = Descriptor(openingRegularFile: path, inRoot: root) else {
            // A symbolic link, or something else that isn't a file.
            if errno == EINVAL || errno == ELOOP { throw .untrustedNames(process, path) }
            return nil
        }
        guard let status = file.status() else { return nil }
        guard status.st_uid == owner.user || status.st_uid == 0 else { throw .untrustedNames(process, path) }
        (name, self.kind) = (path, kind)
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
