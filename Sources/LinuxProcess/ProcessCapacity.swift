/// How many processes the machine can have at once.
package enum ProcessCapacity {
    /// The most processes, by kernel.pid_max and kernel.threads-max: each has a thread, and each thread an id.
    package static var limit: Int {
        limit(SystemFile.firstLine("/proc/sys/kernel/pid_max"), SystemFile.firstLine("/proc/sys/kernel/threads-max"))
    }

    /// - Parameters: the texts of both settings; nil if they can't be read.
    package static func limit(_ ids: String?, _ threads: String?) -> Int {
        let known = [ids, threads].compactMap { $0.flatMap { Int($0) } }.filter { $0 > 0 }
        return min(known.min() ?? unknown, largest)
    }

    /// PID_MAX_LIMIT of 64-bit kernels.
    private static let largest = 4_194_304
    /// Without /proc, no process can be read anyway.
    private static let unknown = 32_768
}
