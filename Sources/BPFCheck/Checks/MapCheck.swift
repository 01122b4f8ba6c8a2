/// Checks maps: kinds, flags, definitions that no kernel accepts, and hash maps that allocate on demand.
extension ObjectCheck {
    private static let allocatesAnywhere = KernelVersion(6, 1)
    private static let links = KernelVersion(6, 4)

    mutating func checkMaps() {
        for map in object.maps {
            checkMap(map.name, map.shape)
            if let inner = map.inner { checkMap("inside \(map.name)", inner) }
            if let field = map.unknownField {
                reportMap(
                    .mapDefinition, "the map \(map.name) is defined with \(field), which libbpf doesn't know",
                    refusal: "map '\(map.name)': unknown field '\(field)'", remedy: "leave it out")
            }
        }
        if object.hasLegacyMaps {
            reportMap(
                .mapDefinition, "maps in the section \"maps\", which libbpf 1.0 no longer supports",
                refusal: "elf: legacy map definitions in 'maps' section are not supported by libbpf v1.0+",
                section: "maps", remedy: "define them with BTF, in SEC(\".maps\")")
        }
        if object.sectionNames.contains(".struct_ops.link"), kernel < Self.links {
            reportMap(
                .mapFlag, "the contents of .struct_ops.link are loaded with the flag BPF_F_LINK", since: Self.links,
                refusal: "failed to create: Invalid argument", section: ".struct_ops.link",
                remedy: "SEC(\".struct_ops\") on this kernel")
        }
        checkTypes()
        checkStructOps()
    }

    /// The kernel's types must contain the operations that a struct_ops structure implements.
    private mutating func checkStructOps() {
        guard let btf = object.btf, let types = target.btf else { return }
        for section in btf.types where btf.kind(of: section) == .dataSection {
            guard let name = try? btf.name(of: section), name.hasPrefix(".struct_ops"),
                let variables = try? btf.members(of: section)
            else { continue }
            for variable in variables where btf.kind(of: variable.type) == .variable {
                guard let type = try? btf.plain(btf.reference(of: variable.type)),
                    let structure = CoreResolution.name(of: type, btf),
                    !types.has("bpf_struct_ops_" + structure, .structure)
                else { continue }
                reportMap(
                    .map, "\(variable.name) is a struct \(structure), which the kernel's types don't support",
                    refusal: "struct_ops init_kern", condition: unlessModule(types), section: name,
                    remedy: "bpf_map__set_autocreate(map, false) where they aren't")
            }
        }
    }

    /// libbpf needs types to create maps and to fill in struct_ops.
    private mutating func checkTypes() {
        guard object.btf == nil else { return }
        for section in [".maps", ".struct_ops", ".struct_ops.link"] where object.sectionNames.contains(section) {
            reportMap(
                .types, "the object has \(section) but no BTF", refusal: "BTF is required, but is missing or corrupted",
                section: section, remedy: "compile with -g")
        }
    }

    private mutating func checkMap(_ name: String, _ shape: MapShape) {
        guard let kind = MapKind.entry(shape.type) else {
            let what = shape.type == 0 ? "has no type" : "has the type \(shape.type), which no known kernel has"
            return reportMap(
                .map, "the map \(name) \(what)", refusal: shape.type == 0 ? "map type isn't specified" : nil,
                remedy: "__uint(type, BPF_MAP_TYPE_...)")
        }
        if !target.has(kind) {
            return reportMap(
                .map, "the map \(name) is a BPF_MAP_TYPE_\(kind.name)", since: kind.isExact ? kind.since : nil,
                refusal: "failed to create: Invalid argument",
                remedy: "bpf_map__set_autocreate(map, false) on this kernel, and another map instead")
        }
        for machine in machines {
            guard let since = MapKind.byMachine[shape.type]?[machine], kernel < since, target.btf == nil
            else { continue }
            reportMap(
                .map, "the map \(name) is a BPF_MAP_TYPE_\(kind.name)", since: since, machines: [machine],
                remedy: "bpf_map__set_autocreate(map, false) on this kernel, and another map instead")
        }
        for flag in MapKind.flags where shape.flags & 1 << flag.bit != 0 && !target.has(flag: flag.entry) {
            reportMap(
                .mapFlag, "the map \(name) has the flag \(flag.entry.name)", since: flag.entry.since,
                refusal: "failed to create: Invalid argument",
                remedy: "bpf_map__set_map_flags() without it on this kernel")
        }
        for problem in MapProblem.all(shape, kernel: kernel) {
            reportMap(
                .mapDefinition, "the map \(name) \(problem.problem)", since: problem.since,
                refusal: "failed to create", condition: problem.condition, remedy: problem.remedy)
        }
    }

    /// The verifier checks all maps that a program refers to, even in unreachable code.
    mutating func checkPreallocation(_ program: LoadedProgram) {
        guard object.functions[program.root].kind?.family == .perfEvent, kernel < Self.allocatesAnywhere else { return }
        for number in program.functions {
            for (slot, index) in object.functions[number].mapUses {
                let map = object.maps[index]
                guard Self.allocates(map.shape) || map.inner.map(Self.allocates) ?? false else { continue }
                report(
                    .preallocation, in: number, at: slot,
                    "a perf_event program uses the map \(map.name), a hash with BPF_F_NO_PREALLOC",
                    refusal: "perf_event programs can only use preallocated hash map", since: Self.allocatesAnywhere,
                    program: program.root, isAnywhere: true, remedy: "leave BPF_F_NO_PREALLOC out")
            }
        }
    }

    private static func allocates(_ shape: MapShape) -> Bool {
        [MapKind.hash, MapKind.perCPUHash, MapKind.hashOfMaps].contains(shape.type)
            && shape.flags & MapKind.noPreallocation != 0
    }
}
