import Glibc

/// The physical memory of this process.
package enum ResidentMemory {
    /// In bytes; nil if /proc isn't mounted.
    package static var bytes: Int? { SystemFile.text("/proc/self/statm").flatMap(bytes(inStatm:)) }

    /// The second field of `/proc/PID/statm` counts memory pages.
    static func bytes(inStatm text: String) -> Int? {
        let fields = text.split(separator: " ")
        return fields.count > 1 ? Int(fields[1]).map { $0 * sysconf(Int32(_SC_PAGESIZE)) } : nil
    }
}
