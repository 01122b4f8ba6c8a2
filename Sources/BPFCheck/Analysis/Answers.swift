import ELF

/// The answers that libbpf gives on one kernel to the queries in an object.
struct Answers {
    let target: TargetKernel
    let btf: BTF?
    /// Sections of constants, `.rodata` and `.rodata.NAME`, by section index.
    let constants: [Int: ConstantData]
    /// Answers from the kernel's types, kept because objects query the same field many times.
    private let known = KnownAnswers()

    init(target: TargetKernel, btf: BTF?, constants: [Int: ConstantData]) {
        self.target = target
        self.btf = btf
        self.constants = constants
    }

    /// From this release on, the verifier treats the contents of a read-only, frozen map as constants.
    private static let constantsAreFollowed = KernelVersion(5, 5)

    var kernel: KernelVersion { target.version }

    /// The value in the instruction when the kernel gets it: the answer if it is known, else the question.
    func value(of relocation: BTFExtension.CoreRelocation) -> Value {
        guard relocation.kind.isQuestion else { return .unknown }
        if let known = isSatisfied(relocation) { return .exactly(known ? 1 : 0) }
        guard let btf, let subject = CoreResolution.subject(relocation, btf) else { return .unknown }
        return .asked(Value.Asked(Question(subject: subject, kind: .existence), outcomes: [0, 1]))
    }

    /// Whether the kernel has what the relocation queries; nil if that isn't known.
    func isSatisfied(_ relocation: BTFExtension.CoreRelocation) -> Bool? {
        guard let btf else { return nil }
        if let kernel = target.btf {
            return known.answer(to: relocation) {
                CoreResolution(local: btf, kernel: kernel).isSatisfied(relocation)
            }
        }
        guard [.enumeratorExists, .enumeratorValue].contains(relocation.kind) else { return nil }
        return hasEnumerator(relocation, btf)
    }

    /// Decides by the release: helpers and kinds of maps don't depend on the configuration.
    private func hasEnumerator(_ relocation: BTFExtension.CoreRelocation, _ btf: BTF) -> Bool? {
        guard let index = Int(relocation.access), let type = (try? btf.plain(relocation.type)) ?? nil,
            let enumeration = try? btf.name(of: type), let name = (try? btf.enumerator(index, of: type)) ?? nil
        else { return nil }
        let enumerator = CoreResolution.essential(name)
        switch CoreResolution.essential(enumeration) {
        case "bpf_func_id": return Helper.entry(enumerator: enumerator).map { $0.since <= kernel }
        case "bpf_map_type": return MapKind.entry(enumerator: enumerator).map { $0.since <= kernel }
        default: return nil
        }
    }

    /// The value that libbpf substitutes for a weak function of the kernel: 0 if the kernel doesn't have it.
    func weakFunction(_ name: String) -> Value {
        if let types = target.btf { return types.hasFunction(name) ? .unknown : .exactly(0) }
        guard let entry = KernelFunction.entry(name) else {
            return .asked(Value.Asked(Question(subject: "the function \(name)", kind: .existence), outcomes: [0, 1]))
        }
        return entry.isIn(kernel) ? .unknown : .exactly(0)
    }

    /// A variable of `.kconfig`. libbpf computes some of them itself; the others come from the kernel's configuration.
    func configuration(_ name: String) -> Value {
        guard kernel >= Self.constantsAreFollowed else { return .unknown }
        switch name {
        case "LINUX_KERNEL_VERSION": return .number(kernel.codes)
        case "LINUX_HAS_BPF_COOKIE": return .exactly(kernel >= Self.cookies ? 1 : 0)
        // System calls have had wrappers since 4.17 on x86-64 and 4.19 on aarch64.
        case "LINUX_HAS_SYSCALL_WRAPPER": return .exactly(1)
        default: return .asked(Value.Asked(Question(subject: name, kind: .configuration), outcomes: []))
        }
    }

    private static let cookies = KernelVersion(5, 15)

    /// The value of a load from constant data, provided that the loader leaves the data unchanged.
    func constant(section: Int, offset: Int, size: Int) -> Value {
        guard kernel >= Self.constantsAreFollowed, let data = constants[section],
            let value = data.number(at: offset, size: size)
        else { return .unknown }
        return .asked(
            Value.Asked(
                Question(subject: data.name(at: offset), kind: .constant), outcomes: [value]))
    }
}

/// A section of constants, with the variables in it.
struct ConstantData {
    let section: String
    let bytes: [UInt8]
    let isBigEndian: Bool
    /// Names by the offset of the variable's first byte.
    let names: [Int: String]

    func number(at offset: Int, size: Int) -> UInt64? {
        guard offset >= 0, size > 0, size <= 8, offset <= bytes.count - size else { return nil }
        let part = bytes[offset..<offset + size]
        return (isBigEndian ? Array(part) : part.reversed()).reduce(0) { $0 << 8 | UInt64($1) }
    }

    func name(at offset: Int) -> String {
        // An offset inside a structure gets the structure's name.
        names[offset] ?? names.filter { $0.key < offset }.max { $0.key < $1.key }?.value ?? section
    }
}

/// Answers by question.
private final class KnownAnswers {
    private var answers: [BTFExtension.CoreRelocation: Bool?] = [:]

    func answer(to relocation: BTFExtension.CoreRelocation, _ find: () -> Bool?) -> Bool? {
        if let known = answers[relocation] { return known }
        let answer = find()
        answers[relocation] = .some(answer)
        return answer
    }
}
