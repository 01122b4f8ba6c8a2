import Glibc

/// What an id in /proc stands for (proc(5)).
struct ProcessStatus {
    /// The process that it is, or that it is a thread of.
    private(set) var process: Int32
    private(set) var isOfKernel = false

    /// The kernel's PF_KTHREAD.
    private static let kernelThread: UInt64 = 0x20_0000

    /// - Throws: ``KernelError/noSuchProcess(_:)``.
    init(of id: Int32) throws(KernelError) {
        guard let status = Self.contents("/proc/\(id)/status"), let stat = Self.contents("/proc/\(id)/stat") else {
            throw .noSuchProcess(id)
        }
        let line = status.split(separator: "\n").first { $0.hasPrefix("Tgid:") }
        process = line.flatMap { Int32($0.dropFirst(5).drop { $0 == "\t" || $0 == " " }) } ?? id
        // A thread's name, in parentheses, may have any characters. Flags are the seventh field behind it.
        guard let end = stat.lastIndex(of: ")") else { return }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        if fields.count > 6, let flags = UInt64(fields[6]) { isOfKernel = flags & Self.kernelThread != 0 }
    }

    private static func contents(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        // More than either file ever has.
        var bytes = [UInt8](repeating: 0, count: 16384)
        let count = read(descriptor, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }
}

extension KernelUnwinder {
    /// Checks that an id is that of a process with code of its own: for ids that people name.
    ///
    /// - Throws: ``KernelError/noSuchProcess(_:)``, ``KernelError/isThread(_:of:)``, ``KernelError/isOfKernel(_:)``,
    ///   ``KernelError/hasEnded(_:)``, ``KernelError/cannotReadProcess(_:errno:)``.
    public static func checkIsProcess(_ id: Int32) throws(KernelError) {
        let status = try ProcessStatus(of: id)
        if status.process != id { throw .isThread(id, of: status.process) }
        if status.isOfKernel { throw .isOfKernel(id) }
        // Of any of its threads: the first may have ended.
        if try MemoryMap(of: id).mappings.isEmpty { throw .hasEnded(id) }
    }
}
