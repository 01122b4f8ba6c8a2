import ELF

/// A map that the object defines, as described by BTF in `.maps`.
struct MapDefinition: Equatable {
    let name: String
    var shape = MapShape()
    /// The map inside of a map of maps, or the program of an array of programs.
    var inner: MapShape?
    /// A field of the definition that libbpf doesn't know and rejects.
    var unknownField: String?

    /// The maps of `.maps`, in the order of BTF.
    static func all(in btf: BTF) throws(ELFError) -> [MapDefinition] {
        var maps: [MapDefinition] = []
        for section in btf.types where btf.kind(of: section) == .dataSection {
            guard try btf.name(of: section) == ".maps" else { continue }
            for variable in try btf.members(of: section) where btf.kind(of: variable.type) == .variable {
                maps.append(try MapDefinition(name: variable.name, type: btf.reference(of: variable.type), btf))
            }
        }
        return maps
    }

    private init(name: String, type: Int, _ btf: BTF) throws(ELFError) {
        self.name = name
        guard let structure = try btf.plain(type), btf.kind(of: structure) == .structure else { return }
        for member in try btf.members(of: structure) {
            if member.name == "values" {
                try readInner(member.type, btf)
            } else if try !shape.read(member, btf) {
                unknownField = member.name
            }
        }
    }

    /// `values`: an array of pointers to inner maps, or to programs, which are functions.
    private mutating func readInner(_ type: Int, _ btf: BTF) throws(ELFError) {
        // libbpf stores a descriptor, four bytes, for each value.
        shape.valueSize = 4
        guard let array = try btf.plain(type), btf.kind(of: array) == .array,
            let pointer = try btf.plain(btf.array(array).element), btf.kind(of: pointer) == .pointer,
            let structure = try btf.plain(btf.reference(of: pointer)), btf.kind(of: structure) == .structure
        else { return }
        var inner = MapShape()
        for member in try btf.members(of: structure) { _ = try inner.read(member, btf) }
        self.inner = inner
    }
}

/// The properties of a map: kind, sizes, flags.
struct MapShape: Equatable {
    /// `enum bpf_map_type`
    var type: UInt32 = 0
    var flags: UInt32 = 0
    /// In bytes.
    var keySize = 0
    var valueSize = 0
    var entries = 0
    /// Whether key and value have types, not only sizes.
    var hasKeyType = false
    var hasValueType = false

    /// Reads a field of a definition; false if libbpf doesn't know its name.
    fileprivate mutating func read(_ member: BTF.Member, _ btf: BTF) throws(ELFError) -> Bool {
        switch member.name {
        case "type": type = try Self.number(member.type, btf)
        case "map_flags": flags = try Self.number(member.type, btf)
        case "max_entries": entries = Int(try Self.number(member.type, btf))
        case "key_size": keySize = Int(try Self.number(member.type, btf))
        case "value_size": valueSize = Int(try Self.number(member.type, btf))
        case "key":
            keySize = try Self.pointedSize(member.type, btf)
            hasKeyType = true
        case "value":
            valueSize = try Self.pointedSize(member.type, btf)
            hasValueType = true
        case "numa_node", "pinning", "map_extra", "values": break
        default: return false
        }
        return true
    }

    /// `int (*name)[value]`: a number, encoded as the length of an array.
    private static func number(_ type: Int, _ btf: BTF) throws(ELFError) -> UInt32 {
        guard let pointer = try btf.plain(type), btf.kind(of: pointer) == .pointer,
            let array = try btf.plain(btf.reference(of: pointer)), btf.kind(of: array) == .array
        else { return 0 }
        return UInt32(truncatingIfNeeded: try btf.array(array).count)
    }

    /// `typeof(value) *name`
    private static func pointedSize(_ type: Int, _ btf: BTF) throws(ELFError) -> Int {
        guard let pointer = try btf.plain(type), btf.kind(of: pointer) == .pointer else { return 0 }
        return try btf.size(of: btf.reference(of: pointer)) ?? 0
    }
}
