import ELF

/// Decides whether a kernel has what a CO-RE relocation queries, by libbpf's rules (relo_core in the kernel's tools): a
/// type of the same name and kind, with members of the same names and compatible kinds.
struct CoreResolution {
    let local: BTF
    let kernel: KernelBTF

    /// Deeper than any nesting of types that a compiler generates.
    private static let depthLimit = 32

    /// Whether the kernel has it; nil if that can't be decided.
    func isSatisfied(_ relocation: BTFExtension.CoreRelocation) -> Bool? {
        switch relocation.kind {
        case .localType: return true
        case .typeExists, .typeSize, .targetType: return hasType(relocation.type)
        case .typeMatches: return hasType(relocation.type).flatMap { $0 ? nil : false }
        case .enumeratorExists, .enumeratorValue: return hasEnumerator(relocation)
        case .fieldOffset, .fieldSize, .fieldExists, .fieldIsSigned, .fieldLeftShift, .fieldRightShift:
            return hasField(relocation)
        case .other: return nil
        }
    }

    /// What the relocation queries: `task_struct.signal.flags`, `enum bpf_func_id BPF_FUNC_loop`; nil if BTF doesn't
    /// tell.
    static func subject(_ relocation: BTFExtension.CoreRelocation, _ local: BTF) -> String? {
        guard let name = name(of: relocation.type, local) else { return nil }
        switch relocation.kind {
        case .enumeratorExists, .enumeratorValue:
            guard let index = Int(relocation.access), let plain = (try? local.plain(relocation.type)) ?? nil,
                let enumerator = (try? local.enumerator(index, of: plain)) ?? nil
            else { return nil }
            return "\(essential(enumerator)) of \(name)"
        case .fieldOffset, .fieldSize, .fieldExists, .fieldIsSigned, .fieldLeftShift, .fieldRightShift:
            guard let path = path(relocation, local) else { return nil }
            return ([name] + path.compactMap(\.name)).joined(separator: ".")
        default: return "the type \(name)"
        }
    }

    // MARK: Types

    private func candidates(_ type: Int) -> [Int]? {
        guard let kind = local.kind(of: type), let name = Self.name(of: type, local) else { return nil }
        return kernel.types(named: name, kind)
            + (kind == .enumeration ? kernel.types(named: name, .enumeration64) : [])
            + (kind == .enumeration64 ? kernel.types(named: name, .enumeration) : [])
    }

    private func hasType(_ type: Int) -> Bool? {
        candidates(type).map { candidates in candidates.contains { fits(type, $0, 0) } }
    }

    /// bpf_core_types_are_compat(): compares structures by kind, pointers by the types that they point to.
    func fits(_ one: Int, _ other: Int, _ depth: Int) -> Bool {
        guard depth < Self.depthLimit, let one = (try? local.plain(one)) ?? nil,
            let other = (try? kernel.types.plain(other)) ?? nil, let kind = local.kind(of: one),
            let otherKind = kernel.types.kind(of: other)
        else { return false }
        if kind.isEnumeration, otherKind.isEnumeration { return true }
        guard kind == otherKind else { return false }
        switch kind {
        case .pointer:
            guard let a = try? local.reference(of: one), let b = try? kernel.types.reference(of: other)
            else { return false }
            return fits(a, b, depth + 1)
        case .array:
            guard let a = try? local.array(one).element, let b = try? kernel.types.array(other).element
            else { return false }
            return fits(a, b, depth + 1)
        case .prototype:
            guard let a = try? local.members(of: one), let b = try? kernel.types.members(of: other),
                a.count == b.count, let result = try? local.reference(of: one),
                let otherResult = try? kernel.types.reference(of: other)
            else { return false }
            return zip(a, b).allSatisfy { fits($0.type, $1.type, depth + 1) } && fits(result, otherResult, depth + 1)
        default: return true
        }
    }

    // MARK: Enumerators

    private func hasEnumerator(_ relocation: BTFExtension.CoreRelocation) -> Bool? {
        guard let index = Int(relocation.access), let plain = (try? local.plain(relocation.type)) ?? nil,
            let name = (try? local.enumerator(index, of: plain)) ?? nil, let candidates = candidates(plain)
        else { return nil }
        let wanted = Self.essential(name)
        return candidates.contains { type in
            (try? kernel.types.enumerators(of: type))?.contains { Self.essential($0.name) == wanted } ?? false
        }
    }

    // MARK: Fields

    private struct Step {
        /// The member's name; nil for an element of an array.
        let name: String?
        let type: Int
    }

    /// The path from the type to the field, without unnamed members; nil if it is invalid.
    private static func path(_ relocation: BTFExtension.CoreRelocation, _ local: BTF) -> [Step]? {
        let numbers = relocation.access.split(separator: ":").compactMap { Int($0) }
        guard !numbers.isEmpty, numbers.count <= 64 else { return nil }
        var steps: [Step] = []
        var type = relocation.type
        for number in numbers.dropFirst() {
            guard let plain = (try? local.plain(type)) ?? nil, let kind = local.kind(of: plain) else { return nil }
            switch kind {
            case .structure, .union:
                guard let members = try? local.members(of: plain), members.indices.contains(number) else { return nil }
                type = members[number].type
                if !members[number].name.isEmpty { steps.append(Step(name: members[number].name, type: type)) }
            case .array:
                guard let array = try? local.array(plain) else { return nil }
                type = array.element
                steps.append(Step(name: nil, type: type))
            default: return nil
            }
        }
        return steps
    }

    private func hasField(_ relocation: BTFExtension.CoreRelocation) -> Bool? {
        guard let plain = (try? local.plain(relocation.type)) ?? nil, let path = Self.path(relocation, local),
            let candidates = candidates(plain)
        else { return nil }
        return candidates.contains { follow(path[...], from: $0) }
    }

    private func follow(_ path: ArraySlice<Step>, from type: Int) -> Bool {
        guard let step = path.first else { return true }
        guard let plain = (try? kernel.types.plain(type)) ?? nil else { return false }
        if let name = step.name {
            return member(name, of: plain, 0).contains {
                isCompatible(step.type, $0, 0) && follow(path.dropFirst(), from: $0)
            }
        }
        guard kernel.types.kind(of: plain) == .array, let array = try? kernel.types.array(plain) else { return false }
        return follow(path.dropFirst(), from: array.element)
    }

    /// The types of the members with this name, including those in unnamed structures and unions.
    private func member(_ name: String, of type: Int, _ depth: Int) -> [Int] {
        guard depth < Self.depthLimit, let members = try? kernel.types.members(of: type) else { return [] }
        return members.flatMap { member -> [Int] in
            if member.name == name { return [member.type] }
            guard member.name.isEmpty, let inner = (try? kernel.types.plain(member.type)) ?? nil else { return [] }
            return self.member(name, of: inner, depth + 1)
        }
    }

    /// bpf_core_fields_are_compat(): compares kinds, and elements of arrays.
    private func isCompatible(_ one: Int, _ other: Int, _ depth: Int) -> Bool {
        guard depth < Self.depthLimit, let one = (try? local.plain(one)) ?? nil,
            let other = (try? kernel.types.plain(other)) ?? nil, let kind = local.kind(of: one),
            let otherKind = kernel.types.kind(of: other)
        else { return false }
        if kind.isComposite, otherKind.isComposite { return true }
        if kind.isEnumeration, otherKind.isEnumeration { return true }
        guard kind == otherKind else { return false }
        guard kind == .array else { return true }
        guard let a = try? local.array(one).element, let b = try? kernel.types.array(other).element
        else { return false }
        return isCompatible(a, b, depth + 1)
    }

    // MARK: Names

    static func name(of type: Int, _ local: BTF) -> String? {
        guard type != 0, let name = try? local.name(of: type), !name.isEmpty else { return nil }
        return essential(name)
    }

    /// The name without the flavour that may follow three underscores, which libbpf ignores.
    static func essential(_ name: String) -> String {
        name.firstRange(of: "___").map { $0.lowerBound == name.startIndex ? name : String(name[..<$0.lowerBound]) }
            ?? name
    }
}

extension BTF.Kind {
    fileprivate var isComposite: Bool { self == .structure || self == .union }
    fileprivate var isEnumeration: Bool { self == .enumeration || self == .enumeration64 }
}
