/// A capability that this process may have; see capabilities(7).
package struct Capability: Hashable {
    package var name: String
    package var bit: UInt64

    package static let sysPtrace = Capability(name: "CAP_SYS_PTRACE", bit: 19)
    package static let sysAdmin = Capability(name: "CAP_SYS_ADMIN", bit: 21)
    package static let perfmon = Capability(name: "CAP_PERFMON", bit: 38)
    package static let bpf = Capability(name: "CAP_BPF", bit: 39)

    /// The capabilities to load BPF programs and to attach them to events.
    package static let needed = [bpf, perfmon]

    /// The effective capabilities of this process.
    package static let effective: Set<Capability> = {
        let status = SystemFile.text("/proc/self/status") ?? ""
        let set = SystemFile.field("CapEff", of: status).flatMap { UInt64($0, radix: 16) } ?? 0
        return Set([sysPtrace, sysAdmin, perfmon, bpf].filter { set >> $0.bit & 1 == 1 })
    }()
}
