import Foundation

/// Whether tests may load BPF programs into this machine's kernel.
public enum HostKernel {
    /// Needs root and a kernel with BTF. If the environment says that this is CI, nothing else is checked, so that no
    /// test is skipped that could run. Elsewhere root may be that of a container, which can't load BPF programs.
    public static let takesPrograms: Bool = {
        guard !isLeftAlone, geteuid() == 0, access("/sys/kernel/btf/vmlinux", R_OK) == 0 else { return false }
        return ProcessInfo.processInfo.environment["CI"] != nil || hasCapability && isInitialNamespace
    }()

    /// Why a test that loads BPF programs is skipped.
    public static var need: String {
        isLeftAlone ? "make test-quick leaves kernels alone" : "needs root and a kernel with BTF, to load programs"
    }

    /// Whether to use no kernel, neither this machine's nor an emulated one's. `make test-quick` sets this.
    public static let isLeftAlone = ProcessInfo.processInfo.environment["CFIC_TEST_WITHOUT_KERNELS"] != nil

    /// CAP_BPF, or CAP_SYS_ADMIN.
    private static var hasCapability: Bool {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
        let set = line.flatMap { UInt64($0.dropFirst(7).trimmingCharacters(in: .whitespaces), radix: 16) } ?? 0
        return set & (1 << 39 | 1 << 21) != 0
    }

    /// Whether this is the initial pid namespace (PROC_PID_INIT_INO).
    private static var isInitialNamespace: Bool {
        var status = stat()
        return stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == 0xefff_fffc
    }
}
