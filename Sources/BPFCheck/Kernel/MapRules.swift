import Files

/// The kernel's requirements for creating a map of some kind: the `alloc_check` functions of kernel/bpf.
struct MapRule {
    /// Allowed sizes in bytes; `nil` allows any size but 0.
    var keys: [Int]?
    var values: [Int]?
    var entries: Entries = .some
    /// The flags that may be set.
    var flags: UInt32
    var requiredFlags: UInt32 = 0
    /// Whether key and value must have types.
    var needsTypes = false
    /// Whether each CPU has its own values.
    var isPerCPU = false

    enum Entries { case some, none, any }

    /// The rule for a kind; nil for kinds that aren't covered here.
    static func rule(_ type: UInt32) -> MapRule? { rules[type] }

    // The bits of the flags.
    private static let noPreallocation: UInt32 = 1 << 0
    private static let noCommonLRU: UInt32 = 1 << 1
    private static let node: UInt32 = 1 << 2
    private static let readOnly: UInt32 = 1 << 3 | 1 << 4
    private static let access: UInt32 = 1 << 3 | 1 << 4 | 1 << 7 | 1 << 8
    private static let buildID: UInt32 = 1 << 5
    private static let zeroSeed: UInt32 = 1 << 6
    private static let clone: UInt32 = 1 << 9
    private static let mappable: UInt32 = 1 << 10
    private static let preserve: UInt32 = 1 << 11
    private static let inner: UInt32 = 1 << 12

    private static let rules: [UInt32: MapRule] = [
        1: MapRule(flags: noPreallocation | node | access | zeroSeed),
        2: MapRule(keys: [4], flags: node | access | mappable | inner),
        3: MapRule(keys: [4], values: [4], flags: node | readOnly),
        4: MapRule(keys: [4], values: [4], entries: .any, flags: node | readOnly | preserve),
        5: MapRule(flags: noPreallocation | access | zeroSeed, isPerCPU: true),
        6: MapRule(keys: [4], flags: access, isPerCPU: true),
        7: MapRule(keys: [4], flags: node | readOnly | buildID),
        8: MapRule(keys: [4], values: [4], flags: node | readOnly),
        9: MapRule(flags: noCommonLRU | node | access | zeroSeed),
        10: MapRule(flags: noCommonLRU | access | zeroSeed, isPerCPU: true),
        11: MapRule(flags: noPreallocation | node | access, requiredFlags: noPreallocation),
        12: MapRule(keys: [4], values: [4], flags: node | access | mappable | inner),
        13: MapRule(values: [4], flags: noPreallocation | node | access | zeroSeed),
        14: MapRule(keys: [4], values: [4, 8], flags: node | readOnly),
        15: MapRule(keys: [4], values: [4, 8], flags: node | readOnly),
        16: MapRule(keys: [4], values: [4, 8], flags: node),
        17: MapRule(keys: [4], values: [4], flags: node | readOnly),
        18: MapRule(values: [4, 8], flags: node | readOnly),
        19: MapRule(keys: [8, 16], entries: .none, flags: node | access),
        20: MapRule(keys: [4], values: [4, 8], flags: node | access | mappable | inner),
        21: MapRule(keys: [8, 16], entries: .none, flags: node | access),
        22: MapRule(keys: [0], flags: node | access),
        23: MapRule(keys: [0], flags: node | access),
        24: localStorage,
        25: MapRule(keys: [4], values: [4, 8], flags: node | readOnly),
        27: MapRule(keys: [0], values: [0], flags: node | 1 << 19),
        28: localStorage,
        29: localStorage,
        30: MapRule(keys: [0], flags: node | access | zeroSeed),
        31: MapRule(keys: [0], values: [0], flags: node),
        32: localStorage,
        33: MapRule(
            keys: [0], values: [0], flags: mappable | 1 << 17 | 1 << 18, requiredFlags: mappable),
    ]

    private static let localStorage = MapRule(
        keys: [4], entries: .none, flags: noPreallocation | clone, requiredFlags: noPreallocation, needsTypes: true)
}

/// Why a kernel refuses to create a map.
struct MapProblem {
    /// Worded to follow "the map NAME": `has 8-byte keys; BPF_MAP_TYPE_ARRAY requires 4-byte keys`.
    let problem: String
    var since: KernelVersion?
    let remedy: String
    /// A further condition, as ``Finding/condition``.
    var condition: String?

    /// The page size of most kernels; a ring buffer's size is a power-of-two number of pages.
    private static let page = 4096
    /// PCPU_MIN_UNIT_SIZE: the largest per-CPU value, in bytes.
    private static let perCPULimit = 32 << 10
    /// The largest key that fits a program's stack, in bytes.
    private static let keyLimit = 512
    private static let largerKeys = KernelVersion(5, 11)
    /// The default of kernel.perf_event_max_stack.
    private static let stackLimit = 127
    private static let wideEntries: [UInt32: KernelVersion] = [
        14: KernelVersion(5, 8), 25: KernelVersion(5, 8), 16: KernelVersion(5, 9),
    ]

    /// All problems with a map, both those in every release and those before some release.
    static func all(_ shape: MapShape, kernel: KernelVersion) -> [MapProblem] {
        guard let kind = MapKind.entry(shape.type), let rule = MapRule.rule(shape.type) else { return [] }
        let name = "BPF_MAP_TYPE_\(kind.name)"
        return sizes(shape, rule, name, kernel) + entries(shape, rule, name) + flags(shape, rule, name)
            + special(shape, name)
    }

    private static func sizes(
        _ shape: MapShape, _ rule: MapRule, _ name: String, _ kernel: KernelVersion
    ) -> [MapProblem] {
        var problems: [MapProblem] = []
        if let problem = size("keys", shape.keySize, rule.keys, name) { problems.append(problem) }
        if let problem = size("values", shape.valueSize, rule.values, name) { problems.append(problem) }
        if shape.valueSize == 8, let since = wideEntries[shape.type], kernel < since {
            problems.append(
                MapProblem(
                    problem: "has 8-byte values; \(name) required 4-byte values", since: since,
                    remedy: "4-byte values on this kernel, without a program"))
        }
        if rule.isPerCPU, shape.valueSize > perCPULimit {
            problems.append(
                MapProblem(
                    problem: "has \(shape.valueSize)-byte values for each CPU; the limit is \(perCPULimit)",
                    remedy: "make the value smaller, or index an ordinary array by bpf_get_smp_processor_id()"))
        }
        if rule.keys == nil, shape.type != 11, shape.keySize > keyLimit, kernel < largerKeys {
            problems.append(
                MapProblem(
                    problem: "has \(shape.keySize)-byte keys; the limit was \(keyLimit)", since: largerKeys,
                    remedy: "a shorter key, or a hash of it"))
        }
        if rule.needsTypes, !shape.hasKeyType || !shape.hasValueType {
            problems.append(
                MapProblem(
                    problem: "has key and value sizes instead of types, which \(name) requires",
                    remedy: "__type(key, int) and __type(value, ...)"))
        }
        return problems
    }

    private static func size(_ what: String, _ size: Int, _ allowed: [Int]?, _ name: String) -> MapProblem? {
        switch allowed {
        case nil where size != 0: return nil
        case nil:
            return MapProblem(problem: "has \(what) without a size", remedy: "define them with __type or __uint")
        case let allowed? where allowed.contains(size): return nil
        case [0]?: return MapProblem(problem: "has \(what); \(name) has none", remedy: "leave them out")
        case let allowed?:
            let wanted = allowed.map(String.init).joined(separator: "- or ") + "-byte \(what)"
            return MapProblem(problem: "has \(size)-byte \(what); \(name) requires \(wanted)", remedy: wanted)
        }
    }

    private static func entries(_ shape: MapShape, _ rule: MapRule, _ name: String) -> [MapProblem] {
        switch rule.entries {
        case .some where shape.entries == 0:
            return [
                MapProblem(
                    problem: "has no max_entries", remedy: "__uint(max_entries, ...), or bpf_map__set_max_entries()",
                    condition: nil)
            ]
        case .none where shape.entries != 0:
            return [
                MapProblem(
                    problem: "has max_entries; \(name) grows with what it belongs to", remedy: "leave max_entries out"
                )
            ]
        default: return []
        }
    }

    private static func flags(_ shape: MapShape, _ rule: MapRule, _ name: String) -> [MapProblem] {
        var problems: [MapProblem] = []
        let missing = rule.requiredFlags & ~shape.flags
        if missing & MapKind.noPreallocation != 0 {
            problems.append(
                MapProblem(
                    problem: "lacks BPF_F_NO_PREALLOC, which \(name) requires",
                    remedy: "__uint(map_flags, BPF_F_NO_PREALLOC)"))
        } else if missing != 0 {
            problems.append(
                MapProblem(
                    problem: "lacks BPF_F_MMAPABLE, which \(name) requires",
                    remedy: "__uint(map_flags, BPF_F_MMAPABLE)"))
        }
        let extra = shape.flags & ~rule.flags
        if extra != 0 {
            problems.append(
                MapProblem(
                    problem: "has flags that \(name) doesn't accept, \(extra.hex)",
                    remedy: "leave them out"))
        }
        // BPF_F_RDONLY_PROG and BPF_F_WRONLY_PROG; BPF_F_RDONLY and BPF_F_WRONLY.
        if shape.flags & 0x180 == 0x180 || shape.flags & 0x18 == 0x18 {
            problems.append(
                MapProblem(
                    problem: "can neither be read nor written: BPF_F_RDONLY and BPF_F_WRONLY together",
                    remedy: "leave one of them out"))
        }
        return problems
    }

    private static func special(_ shape: MapShape, _ name: String) -> [MapProblem] {
        switch shape.type {
        case 7 where shape.flags & 1 << 5 == 0 && shape.valueSize % 8 != 0:
            return [
                MapProblem(
                    problem: "has \(shape.valueSize)-byte values; \(name) requires 8 bytes per frame",
                    remedy: "a multiple of 8")
            ]
        case 7 where shape.flags & 1 << 5 == 0 && shape.valueSize / 8 > stackLimit:
            return [
                MapProblem(
                    problem:
                        "has values of \(shape.valueSize / 8) frames; kernel.perf_event_max_stack is \(stackLimit) by "
                        + "default", remedy: "\(stackLimit) frames at most, or a larger kernel.perf_event_max_stack",
                    condition: "kernel.perf_event_max_stack is less than \(shape.valueSize / 8)")
            ]
        case 11 where shape.keySize != 0 && !(5...260).contains(shape.keySize):
            return [
                MapProblem(
                    problem: "has \(shape.keySize)-byte keys; \(name) requires 5 to 260 bytes",
                    remedy: "4 bytes for the prefix length, and 1 to 256 for the data")
            ]
        case 19 where shape.valueSize > page, 21 where shape.valueSize > page:
            return [
                MapProblem(
                    problem: "has \(shape.valueSize)-byte values; the limit of \(name) is one page",
                    remedy: "make the value smaller")
            ]
        case 27 where !isPagesPower(shape.entries), 31 where !isPagesPower(shape.entries):
            return [
                MapProblem(
                    problem: "has a size of \(shape.entries) bytes, which is not a power-of-two number of pages",
                    remedy: "a power of two, of \(page) or more",
                    condition: "the loader doesn't round it up, as libbpf 1 does")
            ]
        default: return []
        }
    }

    private static func isPagesPower(_ size: Int) -> Bool { size == 0 || size >= page && size & (size - 1) == 0 }
}
