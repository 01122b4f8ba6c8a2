import ELF

/// A map that the object asks for, as BTF describes it in `.maps`.
struct MapDefinition: Equatable {
    let name: String
    var type: UInt32 = 0
    var flags: UInt32 = 0
    /// A map in a map has that one's definition as its value.
    var innerType: UInt32?
    var innerFlags: UInt32 = 0

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
            switch member.name {
            case "type": self.type = try Self.number(member.type, btf)
            case "map_flags": flags = try Self.number(member.type, btf)
            case "values": try readInner(member.type, btf)
            default: break
            }
        }
    }

    /// `int (*name)[value]`: a number as the length of an array.
    private static func number(_ type: Int, _ btf: BTF) throws(ELFError) -> UInt32 {
        guard let pointer = try btf.plain(type), btf.kind(of: pointer) == .pointer,
              let array = try btf.plain(btf.reference(of: pointer)), btf.kind(of: array) == .array
        else { return 0 }
        return UInt32(truncatingIfNeeded: try btf.array(array).count)
    }

    /// `values`: an array of pointers to what is inside; of maps, or of programs, which are functions.
    private mutating func readInner(_ type: Int, _ btf: BTF) throws(ELFError) {
        guard let array = try btf.plain(type), btf.kind(of: array) == .array,
              let pointer = try btf.plain(btf.array(array).element), btf.kind(of: pointer) == .pointer,
              let structure = try btf.plain(btf.reference(of: pointer)), btf.kind(of: structure) == .structure
        else { return }
        for member in try btf.members(of: structure) {
            switch member.name {
            case "type": innerType = try Self.number(member.type, btf)
            case "map_flags": innerFlags = try Self.number(member.type, btf)
            default: break
            }
        }
    }
}
