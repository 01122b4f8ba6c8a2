/// The kind of task that an id in /proc belongs to (proc(5)).
package struct ProcessStatus {
    /// The process, or the process of the thread.
    package private(set) var process: Int32
    package private(set) var isOfKernel = false

    /// The kernel's PF_KTHREAD.
    private static let kernelThread: UInt64 = 0x20_0000

    /// - Throws: ``ProcessError/noSuchProcess(_:)``.
    package init(of id: Int32) throws(ProcessError) {
        guard let status = SystemFile.text("/proc/\(id)/status"), let stat = SystemFile.text("/proc/\(id)/stat") else {
            throw .noSuchProcess(id)
        }
        process = SystemFile.field("Tgid", of: status).flatMap { Int32($0) } ?? id
        // The thread's name, in parentheses, may contain any characters. The flags are the seventh field after it.
        guard let end = stat.lastIndex(of: ")") else { return }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        if fields.count > 6, let flags = UInt64(fields[6]) { isOfKernel = flags & Self.kernelThread != 0 }
    }

    /// Checks that an id, given by a user, is that of a process with code of its own.
    ///
    /// - Throws: ``ProcessError/noSuchProcess(_:)``, ``ProcessError/isThread(_:of:)``, ``ProcessError/isOfKernel(_:)``,
    ///   ``ProcessError/hasEnded(_:)``, ``ProcessError/cannotRead(_:errno:)``.
    package static func checkIsProcess(_ id: Int32) throws(ProcessError) {
        let status = try ProcessStatus(of: id)
        if status.process != id { throw .isThread(id, of: status.process) }
        if status.isOfKernel { throw .isOfKernel(id) }
        // Checks the mappings of all threads, because the first may have ended.
        if try MemoryMap(of: id).mappings.isEmpty { throw .hasEnded(id) }
    }
}
