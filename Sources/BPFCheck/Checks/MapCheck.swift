/// Kinds of maps and their flags; and hash maps that allocate as they go.
extension ObjectCheck {
    private static let allocatesAnywhere = KernelVersion(6, 1)

    mutating func checkMaps() {
        for map in object.maps {
            checkMap(map.name, map.type, map.flags)
            if let type = map.innerType { checkMap("inside \(map.name)", type, map.innerFlags) }
        }
    }

    private mutating func checkMap(_ name: String, _ type: UInt32, _ flags: UInt32) {
        if let kind = MapKind.entry(type), kernel < kind.since {
            report(
                .map, "the map \(name) is a BPF_MAP_TYPE_\(kind.name)", since: kind.since,
                refusal: "failed to create: Invalid argument",
                remedy: "bpf_map__set_autocreate(map, false) on this kernel, and another map in its place")
            return
        }
        for flag in MapKind.flags where flags & 1 << flag.bit != 0 && kernel < flag.entry.since {
            report(
                .mapFlag, "the map \(name) has the flag \(flag.entry.name)", since: flag.entry.since,
                refusal: "failed to create: Invalid argument",
                remedy: "bpf_map__set_map_flags() without it on this kernel")
        }
    }

    /// The verifier looks at all maps that a program names, wherever.
    mutating func checkPreallocation(_ program: LoadedProgram) {
        guard object.functions[program.root].kind?.family == .perfEvent, kernel < Self.allocatesAnywhere else { return }
        for number in program.functions {
            for (slot, index) in object.functions[number].mapUses {
                let map = object.maps[index]
                let isLate = Self.allocates(map.type, map.flags)
                    || map.innerType.map { Self.allocates($0, map.innerFlags) } ?? false
                guard isLate else { continue }
                report(
                    .preallocation, in: number, at: slot,
                    "a perf_event program uses the map \(map.name), a hash with BPF_F_NO_PREALLOC",
                    refusal: "perf_event programs can only use preallocated hash map", since: Self.allocatesAnywhere,
                    program: program.root, remedy: "leave BPF_F_NO_PREALLOC out")
            }
        }
    }

    private static func allocates(_ type: UInt32, _ flags: UInt32) -> Bool {
        [MapKind.hash, MapKind.perCPUHash, MapKind.hashOfMaps].contains(type) && flags & MapKind.noPreallocation != 0
    }
}
