import Files
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

    /// Without this check, libbpf takes a kernel that it has no descriptors to probe for one that lacks everything.
    ///
    /// - Throws: ``KernelError/tooFewOpenFiles(limit:needed:)``.
    static func checkOpenFiles() throws(KernelError) {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        let open: Int
        do throws(Directory.Failure) { open = try Directory.names(in: "/proc/self/fd").count } catch {
            // Without /proc, it isn't known.
            guard error.errno == EMFILE else { return }
            open = Int(clamping: limit.rlim_cur)
        }
        // Events are opened when the limit may have been raised.
        for (limit, needed) in [
            (limit.rlim_cur, open + forPrograms), (limit.rlim_max, open + forPrograms + forCPU * OnlineCPUs.list.count),
        ] where limit < rlim_t(needed) {
            throw .tooFewOpenFiles(limit: Int(clamping: limit), needed: needed)
        }
    }

    /// Descriptors of the programs and maps, and of each CPU's events. Tables and mapped files need more.
    private static let forPrograms = 40, forCPU = 3

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
        // These say nothing about a BPF program, but the logs of those that were loaded would be shown.
        if [ENOMEM, EMFILE, ENFILE].contains(code) { return .system("loading the BPF programs", errno: code) }
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
