/// Checks global functions, which kernels from 5.6 on verify separately, for all arguments that their types allow.
extension ObjectCheck {
    private static let takesPointers = KernelVersion(5, 12)
    private static let returnsNothing = KernelVersion(7, 1)
    private static let remedy = "make it static or __hidden: it is then verified at each call"

    mutating func checkGlobal(_ number: Int) {
        let function = object.functions[number]
        guard isVerifiedAlone(number), let btf = object.btf, let type = function.type,
            let prototype = try? btf.reference(of: type), btf.kind(of: prototype) == .prototype,
            let arguments = try? btf.members(of: prototype), let result = try? btf.plain(btf.reference(of: prototype))
        else { return }
        checkResult(number, result, btf)
        let contexts = contexts(of: number)
        let tags = btf.tags[type] ?? []
        for (index, argument) in arguments.enumerated() {
            guard let plain = (try? btf.plain(argument.type)) ?? nil, let kind = btf.kind(of: plain) else { continue }
            let name = argument.name.isEmpty ? "argument \(index + 1)" : argument.name
            // For older kernels, libbpf conveys arg:ctx in another way.
            let ownTags = tags.filter { $0.argument == index }.map(\.name)
            switch kind {
            case .integer, .enumeration, .enumeration64: continue
            case .pointer where ownTags.contains("arg:ctx"): continue
            case .pointer: checkPointer(number, index, name, plain, btf, contexts, isTagged: !ownTags.isEmpty)
            default:
                report(
                    .globalFunction, in: number,
                    "\(function.name)() is global and takes \(name), which is neither a "
                        + "number nor a pointer", refusal: "Arg#\(index) type", remedy: Self.remedy)
            }
        }
    }

    private mutating func checkResult(_ number: Int, _ result: Int, _ btf: BTF) {
        let name = object.functions[number].name
        switch btf.kind(of: result) {
        case .integer, .enumeration, .enumeration64: return
        case .void:
            guard kernel < Self.returnsNothing else { return }
            report(
                .globalFunction, in: number, "\(name)() is global and returns nothing",
                refusal: "Global function \(name)() doesn't return scalar. Only those are supported.",
                since: Self.returnsNothing, remedy: "return an int, or make it static or __hidden")
        default:
            report(
                .globalFunction, in: number, "\(name)() is global and doesn't return a number",
                refusal: "Global function \(name)()", remedy: "return a number, or make it static or __hidden")
        }
    }

    private mutating func checkPointer(
        _ number: Int, _ index: Int, _ name: String, _ pointer: Int, _ btf: BTF, _ contexts: Set<String?>,
        isTagged: Bool
    ) {
        guard let target = try? btf.reference(of: pointer), let plain = (try? btf.plain(target)) ?? nil else { return }
        let structure = btf.kind(of: plain) == .structure ? try? btf.name(of: plain) : nil
        if let structure, contexts.allSatisfy({ Self.isContext(structure, of: $0) }) { return }
        let function = object.functions[number].name
        if kernel < Self.takesPointers {
            report(
                .globalFunction, in: number, "\(function)() is global and takes a pointer, \(name)",
                refusal: "Arg#\(index) type PTR in \(function)() is not supported yet", since: Self.takesPointers,
                remedy: Self.remedy)
        } else if !isTagged, (try? btf.size(of: target)) == .some(nil) {
            report(
                .globalFunction, in: number,
                "\(function)() is global and takes a pointer, \(name), to a type of "
                    + "unknown size", refusal: "arg#\(index) reference type",
                remedy: Self.remedy
                    + "; or point to a type that has a size")
        }
    }

    /// The context structures of the programs that load the function; nil for one that isn't known.
    private func contexts(of function: Int) -> Set<String?> {
        Set((loaders[function] ?? []).map { object.functions[$0].kind.flatMap(\.context) })
    }

    private static func isContext(_ structure: String, of context: String?) -> Bool {
        guard let context else { return ProgramKind.contexts.contains(structure) }
        // bpf_user_pt_regs_t is one or the other, depending on the machine.
        return context == structure || context == "pt_regs" && structure == "user_pt_regs"
    }
}
