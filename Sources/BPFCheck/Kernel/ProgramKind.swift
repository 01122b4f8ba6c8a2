/// The kind of a program, which libbpf derives from the name of its section, and the first kernel that supports it.
struct ProgramKind: Equatable {
    /// The beginning of the section's name, without the attach target: `kprobe.multi`.
    let section: String
    /// Whether `/` and an attach target may follow.
    let takesTarget: Bool
    let since: KernelVersion
    /// The structure that is the program's context; empty if it has no name; nil if it isn't known here.
    let context: String?
    let family: Family
    /// The kind, in ``HelperAccess``, that may call the same helpers.
    let helpers: String

    enum Family: Equatable {
        case kprobe, tracepoint, rawTracepoint, perfEvent, trampoline, securityModule, structOps, other

        /// Whether it runs on a private stack, on machines that support it: bpf_enable_priv_stack() of the verifier.
        var hasPrivateStack: Bool { ![.structOps, .other].contains(self) }
        /// Whether kernels load it only under a GPL-compatible licence.
        var needsGPL: Bool { [.securityModule, .structOps].contains(self) }
    }

    /// Nil for a section that libbpf 1 doesn't know, and whose programs it refuses.
    init?(section: String) {
        // A question mark at the start means that libbpf loads it only on request: "?kprobe/vfs_read".
        let name = section.hasPrefix("?") ? section.dropFirst() : section[...]
        guard let kind = Self.kinds.first(where: { $0.matches(name) }) else { return nil }
        self = kind
    }

    private func matches(_ name: Substring) -> Bool {
        guard name.hasPrefix(section) else { return false }
        let rest = name.dropFirst(section.count)
        return rest.isEmpty || takesTarget && rest.first == "/"
    }

    /// The attach target, `vfs_read` in `fentry/vfs_read`; nil if the section names none.
    func target(in section: String) -> String? {
        let name = section.hasPrefix("?") ? section.dropFirst() : section[...]
        let rest = name.dropFirst(self.section.count + 1)
        return takesTarget && !rest.isEmpty ? String(rest) : nil
    }

    /// - Parameter section: as in libbpf's table: `kprobe+` for one that may name an attach target.
    private init(
        _ section: String, _ major: Int, _ minor: Int, _ family: Family = .other, context: String? = nil,
        helpers: String? = nil
    ) {
        takesTarget = section.hasSuffix("+")
        self.section = takesTarget ? String(section.dropLast()) : section
        since = KernelVersion(major, minor)
        self.family = family
        self.helpers = helpers ?? self.section
        // Their context is an array of numbers.
        let isArray = [.tracepoint, .trampoline, .securityModule, .structOps].contains(family)
        self.context = context ?? (isArray ? "" : nil)
    }

    /// Whether `since` is the first release with it; otherwise it is the release after the last one known to lack it.
    var isExact: Bool { since != KernelVersion(7, 0) }

    /// The enumerator that the kernel's types have if it supports the kind, in `enum bpf_prog_type` or `enum
    /// bpf_attach_type`. Nil for kinds in 5.4, and for those that came without an enumerator, such as sleepable ones.
    var enumerator: String? { Self.enumerators[section] }

    private static let enumerators: [String: String] = [
        "kprobe.multi": "BPF_TRACE_KPROBE_MULTI", "kretprobe.multi": "BPF_TRACE_KPROBE_MULTI",
        "kprobe.session": "BPF_TRACE_KPROBE_SESSION", "uprobe.multi": "BPF_TRACE_UPROBE_MULTI",
        "uretprobe.multi": "BPF_TRACE_UPROBE_MULTI", "uprobe.multi.s": "BPF_TRACE_UPROBE_MULTI",
        "uretprobe.multi.s": "BPF_TRACE_UPROBE_MULTI", "uprobe.session": "BPF_TRACE_UPROBE_SESSION",
        "uprobe.session.s": "BPF_TRACE_UPROBE_SESSION", "tp_btf": "BPF_TRACE_RAW_TP", "fentry": "BPF_TRACE_FENTRY",
        "fexit": "BPF_TRACE_FEXIT", "fsession": "BPF_TRACE_FSESSION", "fentry.multi": "BPF_TRACE_FENTRY_MULTI",
        "fexit.multi": "BPF_TRACE_FEXIT_MULTI", "fsession.multi": "BPF_TRACE_FSESSION_MULTI",
        "fmod_ret": "BPF_MODIFY_RETURN", "freplace": "BPF_PROG_TYPE_EXT",
        "lsm": "BPF_LSM_MAC", "lsm_cgroup": "BPF_LSM_CGROUP", "iter": "BPF_TRACE_ITER",
        "struct_ops": "BPF_PROG_TYPE_STRUCT_OPS", "syscall": "BPF_PROG_TYPE_SYSCALL", "sk_lookup": "BPF_SK_LOOKUP",
        "sk_reuseport/migrate": "BPF_SK_REUSEPORT_SELECT_OR_MIGRATE", "sk_skb/verdict": "BPF_SK_SKB_VERDICT",
        "xdp/devmap": "BPF_XDP_DEVMAP", "xdp/cpumap": "BPF_XDP_CPUMAP", "netfilter": "BPF_NETFILTER",
        "tcx/ingress": "BPF_TCX_INGRESS", "tcx/egress": "BPF_TCX_EGRESS", "netkit/primary": "BPF_NETKIT_PRIMARY",
        "netkit/peer": "BPF_NETKIT_PEER", "cgroup/sock_release": "BPF_CGROUP_INET_SOCK_RELEASE",
    ]

    /// The context structures of all kinds of programs.
    static let contexts = Set(kinds.compactMap(\.context))

    private static let kinds: [ProgramKind] = tracing + network + cgroup

    private static let tracing: [ProgramKind] = [
        ProgramKind("perf_event", 4, 9, .perfEvent, context: "bpf_perf_event_data"),
        ProgramKind("kprobe+", 4, 1, .kprobe, context: "pt_regs"),
        ProgramKind("kretprobe+", 4, 1, .kprobe, context: "pt_regs", helpers: "kprobe"),
        ProgramKind("ksyscall+", 4, 1, .kprobe, context: "pt_regs", helpers: "kprobe"),
        ProgramKind("kretsyscall+", 4, 1, .kprobe, context: "pt_regs", helpers: "kprobe"),
        ProgramKind("uprobe+", 4, 3, .kprobe, context: "pt_regs", helpers: "kprobe"),
        ProgramKind("uretprobe+", 4, 3, .kprobe, context: "pt_regs", helpers: "kprobe"),
        ProgramKind("usdt+", 4, 3, .kprobe, context: "pt_regs", helpers: "kprobe"),
        ProgramKind("uprobe.s+", 6, 0, .kprobe, context: "pt_regs"),
        ProgramKind("uretprobe.s+", 6, 0, .kprobe, context: "pt_regs", helpers: "uprobe.s"),
        ProgramKind("usdt.s+", 6, 0, .kprobe, context: "pt_regs", helpers: "uprobe.s"),
        ProgramKind("kprobe.multi+", 5, 18, .kprobe, context: "pt_regs"),
        ProgramKind("kretprobe.multi+", 5, 18, .kprobe, context: "pt_regs", helpers: "kprobe.multi"),
        ProgramKind("kprobe.session+", 6, 10, .kprobe, context: "pt_regs"),
        ProgramKind("uprobe.multi+", 6, 6, .kprobe, context: "pt_regs"),
        ProgramKind("uretprobe.multi+", 6, 6, .kprobe, context: "pt_regs", helpers: "uprobe.multi"),
        ProgramKind("uprobe.multi.s+", 6, 6, .kprobe, context: "pt_regs"),
        ProgramKind("uretprobe.multi.s+", 6, 6, .kprobe, context: "pt_regs", helpers: "uprobe.multi.s"),
        ProgramKind("uprobe.session+", 6, 13, .kprobe, context: "pt_regs"),
        ProgramKind("uprobe.session.s+", 6, 13, .kprobe, context: "pt_regs", helpers: "uprobe.multi.s"),
        ProgramKind("tracepoint+", 4, 7, .tracepoint),
        ProgramKind("tp+", 4, 7, .tracepoint, helpers: "tracepoint"),
        ProgramKind("raw_tracepoint+", 4, 17, .rawTracepoint, context: "bpf_raw_tracepoint_args", helpers: "raw_tp"),
        ProgramKind("raw_tp+", 4, 17, .rawTracepoint, context: "bpf_raw_tracepoint_args"),
        ProgramKind("raw_tracepoint.w+", 5, 2, context: "bpf_raw_tracepoint_args", helpers: "raw_tp.w"),
        ProgramKind("raw_tp.w+", 5, 2, context: "bpf_raw_tracepoint_args"),
        ProgramKind("tp_btf+", 5, 5, .trampoline),
        ProgramKind("fentry+", 5, 5, .trampoline),
        ProgramKind("fexit+", 5, 5, .trampoline),
        ProgramKind("fmod_ret+", 5, 7, .trampoline),
        ProgramKind("fentry.s+", 5, 10, .trampoline),
        ProgramKind("fexit.s+", 5, 10, .trampoline),
        ProgramKind("fmod_ret.s+", 5, 10, .trampoline),
        ProgramKind("freplace+", 5, 6),
        // 6.19 lacks these, 7.3 has them.
        ProgramKind("fsession+", 7, 0, .trampoline),
        ProgramKind("fsession.s+", 7, 0, .trampoline),
        ProgramKind("fentry.multi+", 7, 0, .trampoline),
        ProgramKind("fexit.multi+", 7, 0, .trampoline),
        ProgramKind("fsession.multi+", 7, 0, .trampoline),
        ProgramKind("lsm+", 5, 7, .securityModule),
        ProgramKind("lsm.s+", 5, 10, .securityModule),
        ProgramKind("lsm_cgroup+", 6, 0, .securityModule),
        ProgramKind("iter+", 5, 8),
        ProgramKind("iter.s+", 5, 18),
        ProgramKind("struct_ops+", 5, 6, .structOps),
        ProgramKind("struct_ops.s+", 5, 6, .structOps),
        ProgramKind("syscall", 5, 14),
    ]

    private static let network: [ProgramKind] = [
        ProgramKind("socket", 3, 19, context: "__sk_buff"),
        ProgramKind("sk_lookup", 5, 9, context: "bpf_sk_lookup"),
        ProgramKind("sk_reuseport/migrate", 5, 14, context: "sk_reuseport_md", helpers: "sk_reuseport"),
        ProgramKind("sk_reuseport", 4, 19, context: "sk_reuseport_md"),
        ProgramKind("sk_skb/stream_parser", 4, 14, context: "__sk_buff", helpers: "sk_skb"),
        ProgramKind("sk_skb/stream_verdict", 4, 14, context: "__sk_buff", helpers: "sk_skb"),
        ProgramKind("sk_skb/verdict", 5, 13, context: "__sk_buff", helpers: "sk_skb"),
        ProgramKind("sk_skb", 4, 14, context: "__sk_buff"),
        ProgramKind("sk_msg", 4, 17, context: "sk_msg_md"),
        ProgramKind("sockops", 4, 13, context: "bpf_sock_ops"),
        ProgramKind("xdp.frags/devmap", 5, 18, context: "xdp_md", helpers: "xdp/devmap"),
        ProgramKind("xdp.frags/cpumap", 5, 18, context: "xdp_md", helpers: "xdp/cpumap"),
        ProgramKind("xdp.frags", 5, 18, context: "xdp_md", helpers: "xdp"),
        ProgramKind("xdp/devmap", 5, 8, context: "xdp_md"),
        ProgramKind("xdp/cpumap", 5, 9, context: "xdp_md"),
        ProgramKind("xdp", 4, 8, context: "xdp_md"),
        ProgramKind("flow_dissector", 4, 20, context: "__sk_buff"),
        ProgramKind("tc", 4, 1, context: "__sk_buff"),
        ProgramKind("classifier", 4, 1, context: "__sk_buff", helpers: "tc"),
        ProgramKind("action", 4, 1, context: "__sk_buff"),
        // libbpf takes these for TCX, but loads a classifier, which older kernels accept as well.
        ProgramKind("tc/ingress", 6, 6, context: "__sk_buff", helpers: "tc"),
        ProgramKind("tc/egress", 6, 6, context: "__sk_buff", helpers: "tc"),
        ProgramKind("tcx/ingress", 6, 6, context: "__sk_buff", helpers: "tc"),
        ProgramKind("tcx/egress", 6, 6, context: "__sk_buff", helpers: "tc"),
        ProgramKind("netkit/primary", 6, 7, context: "__sk_buff", helpers: "tc"),
        ProgramKind("netkit/peer", 6, 7, context: "__sk_buff", helpers: "tc"),
        ProgramKind("netfilter", 6, 4, context: "bpf_nf_ctx"),
        ProgramKind("lwt_in", 4, 10, context: "__sk_buff"),
        ProgramKind("lwt_out", 4, 10, context: "__sk_buff"),
        ProgramKind("lwt_xmit", 4, 10, context: "__sk_buff"),
        ProgramKind("lwt_seg6local", 4, 18, context: "__sk_buff"),
        ProgramKind("lirc_mode2", 4, 18),
    ]

    private static let cgroup: [ProgramKind] =
        [
            ProgramKind("cgroup_skb/ingress", 4, 10, context: "__sk_buff"),
            ProgramKind("cgroup_skb/egress", 4, 10, context: "__sk_buff"),
            ProgramKind("cgroup/skb", 4, 10, context: "__sk_buff", helpers: "cgroup_skb/ingress"),
            ProgramKind("cgroup/sock_create", 4, 10, context: "bpf_sock"),
            ProgramKind("cgroup/sock", 4, 10, context: "bpf_sock", helpers: "cgroup/sock_create"),
            ProgramKind("cgroup/sock_release", 5, 9, context: "bpf_sock"),
            ProgramKind("cgroup/post_bind4", 4, 17, context: "bpf_sock"),
            ProgramKind("cgroup/post_bind6", 4, 17, context: "bpf_sock"),
            ProgramKind("cgroup/dev", 4, 15, context: "bpf_cgroup_dev_ctx"),
            ProgramKind("cgroup/sysctl", 5, 2, context: "bpf_sysctl"),
            ProgramKind("cgroup/getsockopt", 5, 3, context: "bpf_sockopt"),
            ProgramKind("cgroup/setsockopt", 5, 3, context: "bpf_sockopt"),
        ]
        + addresses.flatMap { name, major, minor, families in
            families.map { ProgramKind("cgroup/\(name)\($0)", major, minor, context: "bpf_sock_addr") }
        }
        + ["connect", "sendmsg", "recvmsg", "getpeername", "getsockname"].map {
            ProgramKind("cgroup/\($0)_unix", 6, 7, context: "bpf_sock_addr")
        }

    /// Programs on socket addresses, for IPv4 and IPv6.
    private static let addresses: [(name: String, major: Int, minor: Int, families: [Int])] = [
        ("bind", 4, 17, [4, 6]), ("connect", 4, 17, [4, 6]), ("sendmsg", 4, 18, [4, 6]), ("recvmsg", 5, 2, [4, 6]),
        ("getpeername", 5, 8, [4, 6]), ("getsockname", 5, 8, [4, 6]),
    ]
}
