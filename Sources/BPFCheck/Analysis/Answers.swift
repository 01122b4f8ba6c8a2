import ELF

/// What libbpf answers on one kernel to what an object asks it.
struct Answers {
    let kernel: KernelVersion
    let btf: BTF?

    /// The release with the first kernel functions that programs can call.
    static let kernelFunctions = KernelVersion(5, 13)

    /// What stands in the instruction when the kernel gets it. Only questions for helpers and kinds of maps have an
    /// answer here: what else a kernel has depends on its configuration too.
    func value(of relocation: BTFExtension.CoreRelocation) -> Value {
        guard relocation.kind == .enumeratorExists, let since = release(of: relocation) else { return .unknown }
        return .exactly(since <= kernel ? 1 : 0)
    }

    private func release(of relocation: BTFExtension.CoreRelocation) -> KernelVersion? {
        guard let btf, let index = Int(relocation.access), let type = (try? btf.plain(relocation.type)) ?? nil,
              let enumeration = try? btf.name(of: type), let name = (try? btf.enumerator(index, of: type)) ?? nil
        else { return nil }
        switch Self.essential(enumeration) {
        case "bpf_func_id": return Helper.entry(enumerator: Self.essential(name))?.since
        case "bpf_map_type": return MapKind.entry(enumerator: Self.essential(name))?.since
        default: return nil
        }
    }

    /// Without the flavour that may follow three underscores, which libbpf doesn't compare.
    private static func essential(_ name: String) -> String {
        name.firstRange(of: "___").map { String(name[..<$0.lowerBound]) } ?? name
    }
}
