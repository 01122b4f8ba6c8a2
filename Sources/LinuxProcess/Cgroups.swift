import CLinux
import Files
import Glibc

/// The hierarchy of cgroups of version 2.
package final class Cgroups: Sendable {
    /// Where it is mounted.
    package let mountPoint: String
    private let descriptor: Int32

    /// Nil if it isn't mounted.
    package convenience init?() {
        guard let mountPoint = Self.mountPoint(in: SystemFile.text("/proc/self/mountinfo") ?? "") else { return nil }
        self.init(mountPoint: mountPoint)
    }

    package init?(mountPoint: String) {
        let descriptor = mountPoint.withPath { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard descriptor >= 0 else { return nil }
        (self.mountPoint, self.descriptor) = (mountPoint, descriptor)
    }

    deinit { close(descriptor) }

    /// The path of the cgroup with this id below the mount point; `/` for the root. Nil if there is none any more, or if
    /// CAP_DAC_READ_SEARCH is missing.
    package func path(of id: UInt64) -> String? {
        let found = cgroup_open(descriptor, id)
        guard found >= 0 else { return nil }
        defer { close(found) }
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/fd/\(found)", &bytes, bytes.count)
        guard count > 0 else { return nil }
        let path = String(path: bytes[..<count].map { UInt8(bitPattern: $0) })
        guard path.hasPrefix(mountPoint) else { return nil }
        let below = String(path.dropFirst(mountPoint.count))
        // The kernel's mark of a directory that was removed meanwhile.
        return below.isEmpty ? "/" : below.hasSuffix(" (deleted)") ? nil : below
    }

    /// The first mount point in a process's `mountinfo`.
    static func mountPoint(in mountInfo: String) -> String? {
        for line in mountInfo.split(separator: "\n") {
            // id, parent, device, root, mount point, options, any number of fields, "-", type, …
            let words = line.split(separator: " ")
            guard words.count > 4, let dash = words.firstIndex(of: "-"), dash + 1 < words.count,
                words[dash + 1] == "cgroup2", words[3] == "/"
            else { continue }
            return String(words[4])
        }
        return nil
    }
}
