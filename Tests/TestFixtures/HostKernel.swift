import Foundation

/// Whether tests may load programs into this machine's kernel.
public enum HostKernel {
    /// Root, and a kernel that describes its types. Where CI says that it is CI, nothing else is asked, so that nothing
    /// is skipped that could run; elsewhere root may be that of a container that forbids it.
    public static let takesPrograms: Bool = {
        guard !isLeftAlone, geteuid() == 0, access("/sys/kernel/btf/vmlinux", R_OK) == 0 else { return false }
        return ProcessInfo.processInfo.environment["CI"] != nil || hasCapability && isInitialNamespace
    }()

    /// Why a test that loads programs is skipped.
    public static var need: String {
        isLeftAlone ? "make test-quick leaves kernels alone" : "needs root and a kernel with BTF, to load programs"
    }

    /// What `make test-quick` asks for: no kernel, neither this machine's nor an emulated one's.
    public static let isLeftAlone = ProcessInfo.processInfo.environment["CFIC_TEST_WITHOUT_KERNELS"] != nil

    /// CAP_BPF, or CAP_SYS_ADMIN.
    private static var hasCapability: Bool {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
        let set = line.flatMap { UInt64($0.dropFirst(7).trimmingCharacters(in: .whitespaces), radix: 16) } ?? 0
        return set & (1 << 39 | 1 << 21) != 0
    }

    /// Of process ids (PROC_PID_INIT_INO).
    private static var isInitialNamespace: Bool {
        var status = stat()
        return stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == 0xefff_fffc
    }
}
