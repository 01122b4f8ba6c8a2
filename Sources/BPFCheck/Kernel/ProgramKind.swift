/// What libbpf takes a program for, by the name of its section, and the first kernel that loads it.
struct ProgramKind: Equatable {
    /// As in the section's name, without what it is attached to: `kprobe.multi`.
    let section: String
    let since: KernelVersion
    /// The structure that is its context; empty if that has no name; nil if it isn't known here.
    let context: String?
    let family: Family

    enum Family: Equatable {
        case kprobe, tracepoint, rawTracepoint, perfEvent, trampoline, other

        /// Runs on a stack of its own where the machine's kernel knows how: bpf_enable_priv_stack() of the verifier.
        var hasPrivateStack: Bool { self != .other }
    }

    /// Nil for a section that libbpf does not know, which the one who loads it may.
    init?(section: String) {
        // What libbpf 0.x took optional is in front: "?kprobe/vfs_read".
        let name = section.hasPrefix("?") ? section.dropFirst() : section[...]
        guard let kind = Self.kinds.first(where: { kind in
            name.hasPrefix(kind.section) && [nil, "/"].contains(name.dropFirst(kind.section.count).first)
        }) else { return nil }
        self = kind
    }

    private init(_ section: String, _ major: Int, _ minor: Int, _ family: Family = .other, context: String? = nil) {
        self.section = section
        since = KernelVersion(major, minor)
        self.family = family
        // Arrays of numbers.
        self.context = context ?? ([.tracepoint, .trampoline].contains(family) ? "" : nil)
    }

    /// The structures that are some program's context.
    static let contexts = Set(
        kinds.compactMap(\.context) + ["bpf_cgroup_dev_ctx", "bpf_sysctl", "bpf_sockopt", "bpf_sock_addr", "bpf_sock"])

    /// Longer names before those that they begin with.
    private static let kinds: [ProgramKind] = [
        ProgramKind("perf_event", 4, 9, .perfEvent, context: "bpf_perf_event_data"),
        ProgramKind("kprobe.multi", 5, 18, .kprobe, context: "pt_regs"),
        ProgramKind("kretprobe.multi", 5, 18, .kprobe, context: "pt_regs"),
        ProgramKind("kprobe.session", 6, 10, .kprobe, context: "pt_regs"),
        ProgramKind("uprobe.multi", 6, 6, .kprobe, context: "pt_regs"),
        ProgramKind("uretprobe.multi", 6, 6, .kprobe, context: "pt_regs"),
        ProgramKind("uprobe.multi.s", 6, 6, .kprobe, context: "pt_regs"),
        ProgramKind("uretprobe.multi.s", 6, 6, .kprobe, context: "pt_regs"),
        ProgramKind("uprobe.session", 6, 13, .kprobe, context: "pt_regs"),
        ProgramKind("uprobe.session.s", 6, 13, .kprobe, context: "pt_regs"),
        ProgramKind("uprobe.s", 6, 0, .kprobe, context: "pt_regs"),
        ProgramKind("uretprobe.s", 6, 0, .kprobe, context: "pt_regs"),
        ProgramKind("kprobe", 4, 1, .kprobe, context: "pt_regs"),
        ProgramKind("kretprobe", 4, 1, .kprobe, context: "pt_regs"),
        ProgramKind("ksyscall", 4, 1, .kprobe, context: "pt_regs"),
        ProgramKind("kretsyscall", 4, 1, .kprobe, context: "pt_regs"),
        ProgramKind("uprobe", 4, 3, .kprobe, context: "pt_regs"),
        ProgramKind("uretprobe", 4, 3, .kprobe, context: "pt_regs"),
        ProgramKind("usdt", 4, 3, .kprobe, context: "pt_regs"),
        ProgramKind("tracepoint", 4, 7, .tracepoint),
        ProgramKind("tp", 4, 7, .tracepoint),
        ProgramKind("raw_tracepoint", 4, 17, .rawTracepoint, context: "bpf_raw_tracepoint_args"),
        ProgramKind("raw_tp", 4, 17, .rawTracepoint, context: "bpf_raw_tracepoint_args"),
        ProgramKind("raw_tracepoint.w", 5, 2, .other, context: "bpf_raw_tracepoint_args"),
        ProgramKind("raw_tp.w", 5, 2, .other, context: "bpf_raw_tracepoint_args"),
        ProgramKind("tp_btf", 5, 5, .trampoline),
        ProgramKind("fentry", 5, 5, .trampoline),
        ProgramKind("fexit", 5, 5, .trampoline),
        ProgramKind("fmod_ret", 5, 7, .trampoline),
        ProgramKind("fentry.s", 5, 10, .trampoline),
        ProgramKind("fexit.s", 5, 10, .trampoline),
        ProgramKind("fmod_ret.s", 5, 10, .trampoline),
        ProgramKind("freplace", 5, 6),
        ProgramKind("lsm", 5, 7, .trampoline),
        ProgramKind("lsm.s", 5, 10, .trampoline),
        ProgramKind("lsm_cgroup", 6, 0),
        ProgramKind("iter", 5, 8),
        ProgramKind("iter.s", 5, 18),
        ProgramKind("struct_ops", 5, 6),
        ProgramKind("struct_ops.s", 5, 6),
        ProgramKind("syscall", 5, 14),
        ProgramKind("sk_lookup", 5, 9, context: "bpf_sk_lookup"),
        ProgramKind("sk_reuseport/migrate", 5, 14, context: "sk_reuseport_md"),
        ProgramKind("sk_reuseport", 4, 19, context: "sk_reuseport_md"),
        ProgramKind("sk_skb/verdict", 5, 13, context: "__sk_buff"),
        ProgramKind("sk_skb", 4, 14, context: "__sk_buff"),
        ProgramKind("sk_msg", 4, 17, context: "sk_msg_md"),
        ProgramKind("sockops", 4, 13, context: "bpf_sock_ops"),
        ProgramKind("xdp.frags/devmap", 5, 18, context: "xdp_md"),
        ProgramKind("xdp.frags/cpumap", 5, 18, context: "xdp_md"),
        ProgramKind("xdp.frags", 5, 18, context: "xdp_md"),
        ProgramKind("xdp/devmap", 5, 8, context: "xdp_md"),
        ProgramKind("xdp/cpumap", 5, 9, context: "xdp_md"),
        ProgramKind("xdp", 4, 8, context: "xdp_md"),
        ProgramKind("socket", 3, 19, context: "__sk_buff"),
        ProgramKind("flow_dissector", 4, 20, context: "__sk_buff"),
        ProgramKind("tc", 4, 1, context: "__sk_buff"),
        ProgramKind("classifier", 4, 1, context: "__sk_buff"),
        ProgramKind("action", 4, 1, context: "__sk_buff"),
        ProgramKind("tcx", 6, 6, context: "__sk_buff"),
        ProgramKind("netkit", 6, 7, context: "__sk_buff"),
        ProgramKind("netfilter", 6, 4, context: "bpf_nf_ctx"),
        ProgramKind("lwt_in", 4, 10, context: "__sk_buff"),
        ProgramKind("lwt_out", 4, 10, context: "__sk_buff"),
        ProgramKind("lwt_xmit", 4, 10, context: "__sk_buff"),
        ProgramKind("lwt_seg6local", 4, 18, context: "__sk_buff"),
        ProgramKind("cgroup_skb", 4, 10, context: "__sk_buff"),
        ProgramKind("cgroup/skb", 4, 10, context: "__sk_buff"),
        ProgramKind("cgroup/sock_release", 5, 9, context: "bpf_sock"),
        ProgramKind("cgroup/getpeername4", 5, 8, context: "bpf_sock_addr"),
        ProgramKind("cgroup/getpeername6", 5, 8, context: "bpf_sock_addr"),
        ProgramKind("cgroup/getsockname4", 5, 8, context: "bpf_sock_addr"),
        ProgramKind("cgroup/getsockname6", 5, 8, context: "bpf_sock_addr"),
        ProgramKind("cgroup/connect_unix", 6, 7, context: "bpf_sock_addr"),
        ProgramKind("cgroup/sendmsg_unix", 6, 7, context: "bpf_sock_addr"),
        ProgramKind("cgroup/recvmsg_unix", 6, 7, context: "bpf_sock_addr"),
        ProgramKind("cgroup/getpeername_unix", 6, 7, context: "bpf_sock_addr"),
        ProgramKind("cgroup/getsockname_unix", 6, 7, context: "bpf_sock_addr"),
    ]
}
