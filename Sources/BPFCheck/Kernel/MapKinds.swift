/// Kinds of maps and flags of maps, with the release that brought them (linux/bpf.h).
enum MapKind {
    static let hash: UInt32 = 1
    static let perCPUHash: UInt32 = 5
    static let hashOfMaps: UInt32 = 13

    struct Entry {
        let name: String
        let since: KernelVersion
    }

    /// By `enum bpf_map_type`; nil for what 5.4 has, and for what nobody has yet.
    static func entry(_ type: UInt32) -> Entry? { newer[type] }

    static func entry(enumerator: String) -> Entry? { newer.values.first { "BPF_MAP_TYPE_" + $0.name == enumerator } }

    private static let newer: [UInt32: Entry] = [
        26: Entry(name: "STRUCT_OPS", since: KernelVersion(5, 6)),
        27: Entry(name: "RINGBUF", since: KernelVersion(5, 8)),
        28: Entry(name: "INODE_STORAGE", since: KernelVersion(5, 10)),
        29: Entry(name: "TASK_STORAGE", since: KernelVersion(5, 11)),
        30: Entry(name: "BLOOM_FILTER", since: KernelVersion(5, 16)),
        31: Entry(name: "USER_RINGBUF", since: KernelVersion(6, 1)),
        32: Entry(name: "CGRP_STORAGE", since: KernelVersion(6, 2)),
        33: Entry(name: "ARENA", since: KernelVersion(6, 9)),
        34: Entry(name: "INSN_ARRAY", since: KernelVersion(6, 19)),
    ]

    static let noPreallocation: UInt32 = 1

    /// By bit. What 5.4 has is left out.
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
