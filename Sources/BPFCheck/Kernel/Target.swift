/// The machines for which kernels differ in what they load.
public enum TargetMachine: String, CaseIterable, Hashable, Sendable {
    case x86_64 = "x86-64"
    case aarch64
}

/// The kernel that an object is checked for: its release, and its types if they are known.
struct TargetKernel {
    let version: KernelVersion
    let btf: KernelBTF?

    /// Whether the kernel has the helper. Its types take precedence over the release, because vendors backport helpers.
    func has(_ helper: Helper.Entry) -> Bool {
        hasEnumerator("BPF_FUNC_" + helper.name, in: "bpf_func_id") ?? (helper.since <= version)
    }

    func has(_ kind: MapKind.Entry) -> Bool {
        hasEnumerator("BPF_MAP_TYPE_" + kind.name, in: "bpf_map_type") ?? (kind.since <= version)
    }

    func has(_ kind: ProgramKind) -> Bool {
        kind.enumerator.flatMap {
            hasEnumerator($0, in: $0.hasPrefix("BPF_PROG_TYPE_") ? "bpf_prog_type" : "bpf_attach_type")
        } ?? (kind.since <= version)
    }

    /// The flags of maps are in an unnamed enumeration.
    func has(flag: MapKind.Entry) -> Bool {
        guard let btf, btf.hasFlag("BPF_F_NO_PREALLOC") else { return flag.since <= version }
        return btf.hasFlag(flag.name)
    }

    /// Nil if the kernel's types aren't known or lack the enumeration.
    private func hasEnumerator(_ name: String, in enumeration: String) -> Bool? {
        guard let btf, !btf.types(named: enumeration, .enumeration, .enumeration64).isEmpty else { return nil }
        return btf.value(of: name, in: enumeration) != nil
    }
}
