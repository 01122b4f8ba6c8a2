import Glibc

/// What a kernel and a caller must have for the programs to be loaded, and which of it is missing.
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

    /// Whether a release, as uname(2) has it, is below 5.10. One that has no such numbers is tried.
    static func isTooOld(_ release: String) -> Bool {
        let numbers = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        return numbers.count == 2 && (numbers[0], numbers[1]) < (5, 10)
    }

    static var release: String {
        var name = utsname()
        uname(&name)
        return withUnsafeBytes(of: name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// Why loading failed.
    static func failure(_ code: Int32, _ programs: [LoadingProgram]) -> KernelError {
        // Its helpers are then unknown to the verifier, whose words would lead astray.
        if isLockedDown { return .notPermitted(permissionProblem()) }
        // The verifier's log says more than an errno, where there is one. Programs are loaded in turn: it is the last.
        let refused = programs.last { !$0.text.isEmpty } ?? programs.first
        if code == EPERM || code == EACCES, programs.allSatisfy({ $0.text.isEmpty }) {
            return .notPermitted(permissionProblem())
        }
        let log = refused?.text.split(separator: "\n").suffix(12).joined(separator: "\n") ?? ""
        return .rejected(program: refused?.name ?? "", errno: code, log: log)
    }

    /// What most likely stands between this caller and loading a program.
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
        if firstLine("/proc/sys/kernel/unprivileged_bpf_disabled") != nil, getuid() != 0 {
            return "the kernel does not let this user load BPF programs: run cfic as root"
        }
        return "the kernel does not let even root load BPF programs here: a container or a security module forbids "
            + "the bpf system call"
    }

    /// kernel_lockdown(7)
    private static var isLockedDown: Bool {
        firstLine("/sys/kernel/security/lockdown")?.contains("[confidentiality]") ?? false
    }

    static func firstLine(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &bytes, bytes.count)
        guard count > 0 else { return nil }
        return String(decoding: bytes[..<count].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }
}

/// capabilities(7)
struct Capability: Hashable {
    var name: String
    var bit: UInt64

    static let sysPtrace = Capability(name: "CAP_SYS_PTRACE", bit: 19)
    static let sysAdmin = Capability(name: "CAP_SYS_ADMIN", bit: 21)
    static let perfmon = Capability(name: "CAP_PERFMON", bit: 38)
    static let bpf = Capability(name: "CAP_BPF", bit: 39)

    /// To load programs and to attach them to events.
    static let needed = [bpf, perfmon]

    /// Of this process.
    static let effective: Set<Capability> = {
        let status = open("/proc/self/status", O_RDONLY | O_CLOEXEC)
        guard status >= 0 else { return [] }
        defer { close(status) }
        var bytes = [UInt8](repeating: 0, count: 1 << 14)
        let count = max(0, read(status, &bytes, bytes.count))
        let line = String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n")
            .first { $0.hasPrefix("CapEff:") }
        let set = line.flatMap { UInt64($0.dropFirst(7).drop { $0 == "\t" || $0 == " " }, radix: 16) } ?? 0
        return Set([sysPtrace, sysAdmin, perfmon, bpf].filter { set >> $0.bit & 1 == 1 })
    }()
}
