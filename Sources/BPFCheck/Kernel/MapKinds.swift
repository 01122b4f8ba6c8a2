/// Kinds of maps and flags of maps, with the release that introduced them (linux/bpf.h).
enum MapKind {
    static let hash: UInt32 = 1
    static let perCPUHash: UInt32 = 5
    static let hashOfMaps: UInt32 = 13
    static let ringBuffers: Set<UInt32> = [27, 31]

    struct Entry {
        let name: String
        let since: KernelVersion
        /// Whether `since` is the first release with it; otherwise it is the release after the last one known to lack
        /// it.
        var isExact = true
    }

    /// By `enum bpf_map_type`; nil for a number without a kind.
    static func entry(_ type: UInt32) -> Entry? {
        let index = Int(type) - 1
        return entries.indices.contains(index) ? entries[index] : nil
    }

    static func entry(enumerator: String) -> Entry? { entries.first { "BPF_MAP_TYPE_" + $0.name == enumerator } }

    /// In the order of their numbers, from 1. Those in 5.4 count as always there.
    private static let entries: [Entry] =
        ("HASH ARRAY PROG_ARRAY PERF_EVENT_ARRAY PERCPU_HASH PERCPU_ARRAY STACK_TRACE CGROUP_ARRAY LRU_HASH "
        + "LRU_PERCPU_HASH LPM_TRIE ARRAY_OF_MAPS HASH_OF_MAPS DEVMAP SOCKMAP CPUMAP XSKMAP SOCKHASH "
        + "CGROUP_STORAGE REUSEPORT_SOCKARRAY PERCPU_CGROUP_STORAGE QUEUE STACK SK_STORAGE DEVMAP_HASH")
        .split(separator: " ")
        .map { Entry(name: String($0), since: KernelVersion(3, 18)) } + [
            Entry(name: "STRUCT_OPS", since: KernelVersion(5, 6)),
            Entry(name: "RINGBUF", since: KernelVersion(5, 8)),
            Entry(name: "INODE_STORAGE", since: KernelVersion(5, 10)),
            Entry(name: "TASK_STORAGE", since: KernelVersion(5, 11)),
            Entry(name: "BLOOM_FILTER", since: KernelVersion(5, 16)),
            Entry(name: "USER_RINGBUF", since: KernelVersion(6, 1)),
            Entry(name: "CGRP_STORAGE", since: KernelVersion(6, 2)),
            Entry(name: "ARENA", since: KernelVersion(6, 9)),
            Entry(name: "INSN_ARRAY", since: KernelVersion(6, 19)),
            // 7.3 has it; when it was introduced isn't known.
            Entry(name: "RHASH", since: KernelVersion(7, 0), isExact: false),
        ]

    /// Kinds that some machines support later.
    static let byMachine: [UInt32: [TargetMachine: KernelVersion]] = [
        26: [.aarch64: KernelVersion(6, 0)], 33: [.aarch64: KernelVersion(6, 10)],
    ]

    static let noPreallocation: UInt32 = 1

    /// By bit number: name and release.
    static let flags: [(bit: UInt32, entry: Entry)] = [
        (10, Entry(name: "BPF_F_MMAPABLE", since: KernelVersion(5, 5))),
        (11, Entry(name: "BPF_F_PRESERVE_ELEMS", since: KernelVersion(5, 10))),
        (12, Entry(name: "BPF_F_INNER_MAP", since: KernelVersion(5, 10))),
        (13, Entry(name: "BPF_F_LINK", since: KernelVersion(6, 4))),
        (15, Entry(name: "BPF_F_VTYPE_BTF_OBJ_FD", since: KernelVersion(6, 9))),
        (16, Entry(name: "BPF_F_TOKEN_FD", since: KernelVersion(6, 9))),
        (17, Entry(name: "BPF_F_SEGV_ON_FAULT", since: KernelVersion(6, 9))),
        (18, Entry(name: "BPF_F_NO_USER_CONV", since: KernelVersion(6, 9))),
        (19, Entry(name: "BPF_F_RB_OVERWRITE", since: KernelVersion(6, 19))),
    ]
}
