import Glibc
import LinuxProcess

/// Checks what a kernel and a caller need to load the BPF programs, and finds what is missing.
enum LoadCheck {
    /// - Throws: ``KernelError/kernelTooOld(release:)``, ``KernelError/noTypeInformation``,
    ///   ``KernelError/otherPIDNamespace``.
    static func checkKernel() throws(KernelError) {
        if isTooOld(release) { throw .kernelTooOld(release: release) }
        guard access("/sys/kernel/btf/vmlinux", R_OK) == 0 else { throw .noTypeInformation }
        var status = stat()
        // PROC_PID_INIT_INO of the kernel's proc_ns.h.
        if stat("/proc/self/ns/pid", &status) == 0, status.st_ino != 0xeffffffc { throw .otherPIDNamespace }
    }

    /// Whether a release, as in uname(2), is older than 5.10. False for one that can't be parsed, which is then tried.
    static func isTooOld(_ release: String) -> Bool {
        let numbers = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        return numbers.count == 2 && (numbers[0], numbers[1]) < (5, 10)
    }

    static var release: String {
        var name = utsname()
        uname(&name)
        return withUnsafeBytes(of: name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// The error for a failed load.
    static func failure(_ code: Int32, _ programs: [LoadingProgram]) -> KernelError {
        // The verifier then rejects helpers as unknown, and its log would mislead.
        if isLockedDown { return .notPermitted(permissionProblem()) }
        // The verifier's log, if there is one, says more than an errno. Programs are loaded in order, so the last log
        // is the relevant one.
        let refused = programs.last { !$0.text.isEmpty } ?? programs.first
        if code == EPERM || code == EACCES, programs.allSatisfy({ $0.text.isEmpty }) {
            return .notPermitted(permissionProblem())
        }
        let log = refused?.text.split(separator: "\n").suffix(12).joined(separator: "\n") ?? ""
        return .rejected(program: refused?.name ?? "", errno: code, log: log)
    }

    /// The most likely reason why this caller can't load a BPF program.
    static func permissionProblem() -> String {
        if isLockedDown {
            return "the kernel is locked down (confidentiality), which forbids programs that read memory: boot with "
                + "lockdown=integrity or without it"
        }
        let missing = Capability.needed.filter { !Capability.effective.contains($0) }
        guard missing.isEmpty || Capability.effective.contains(.sysAdmin) else {
            let names = missing.map(\.name).joined(separator: " and ")
            return "\(names) \(missing.count == 1 ? "is" : "are") missing: run cfic as root, or grant them: "
                + "setcap cap_bpf,cap_perfmon,cap_sys_ptrace=ep FILE"
        }
        if SystemFile.firstLine("/proc/sys/kernel/unprivileged_bpf_disabled") != nil, getuid() != 0 {
            return "the kernel does not let this user load BPF programs: run cfic as root"
        }
        return "the kernel does not let even root load BPF programs here: a container or a security module forbids "
            + "the bpf system call"
    }

    /// kernel_lockdown(7)
    private static var isLockedDown: Bool {
        SystemFile.firstLine("/sys/kernel/security/lockdown")?.contains("[confidentiality]") ?? false
    }
}
