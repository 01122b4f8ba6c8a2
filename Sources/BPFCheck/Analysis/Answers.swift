import ELF

/// What libbpf answers on one kernel to what an object asks it.
struct Answers {
    let target: TargetKernel
    let btf: BTF?
    /// Sections of constants, `.rodata` and `.rodata.NAME`, by their number.
    let constants: [Int: ConstantData]
    /// What the kernel's types answered before: objects ask for the same field many times.
    private let known = KnownAnswers()

    init(target: TargetKernel, btf: BTF?, constants: [Int: ConstantData]) {
        self.target = target
        self.btf = btf
        self.constants = constants
    }

    /// The verifier takes what stands in a map that can't change any more for a constant from here on.
    private static let constantsAreFollowed = KernelVersion(5, 5)

    var kernel: KernelVersion { target.version }

    /// What stands in the instruction when the kernel gets it: the answer, if it is known, or the question.
    func value(of relocation: BTFExtension.CoreRelocation) -> Value {
        guard relocation.kind.isQuestion else { return .unknown }
        if let known = isSatisfied(relocation) { return .exactly(known ? 1 : 0) }
        guard let btf, let subject = CoreResolution.subject(relocation, btf) else { return .unknown }
        return .asked(Value.Asked(Question(subject: subject, kind: .existence), outcomes: [0, 1]))
    }

    /// Whether the kernel has what is asked for; nil if that isn't known.
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

    /// By the release: which helpers and kinds of maps there are, whatever the configuration.
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

    /// What libbpf makes of a weak function of the kernel: 0 where it isn't.
    func weakFunction(_ name: String) -> Value {
        if let types = target.btf { return types.hasFunction(name) ? .unknown : .exactly(0) }
        guard let entry = KernelFunction.entry(name) else {
            return .asked(Value.Asked(Question(subject: "the function \(name)", kind: .existence), outcomes: [0, 1]))
        }
        return entry.isIn(kernel) ? .unknown : .exactly(0)
    }

    /// A variable of `.kconfig`: of these libbpf works some out itself, others are in the kernel's configuration.
    func configuration(_ name: String) -> Value {
        guard kernel >= Self.constantsAreFollowed else { return .unknown }
        switch name {
        case "LINUX_KERNEL_VERSION": return .number(kernel.codes)
        case "LINUX_HAS_BPF_COOKIE": return .exactly(kernel >= Self.cookies ? 1 : 0)
        // System calls have been called by their wrappers since 4.17 on x86-64, 4.19 on aarch64.
        case "LINUX_HAS_SYSCALL_WRAPPER": return .exactly(1)
        default: return .asked(Value.Asked(Question(subject: name, kind: .configuration), outcomes: []))
        }
    }

    private static let cookies = KernelVersion(5, 15)

    /// What a load from constant data gives, if the one who loads the object leaves it as it is.
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
    /// Names by the byte where they begin.
    let names: [Int: String]

    func number(at offset: Int, size: Int) -> UInt64? {
        guard offset >= 0, size > 0, size <= 8, offset <= bytes.count - size else { return nil }
        let part = bytes[offset..<offset + size]
        return (isBigEndian ? Array(part) : part.reversed()).reduce(0) { $0 << 8 | UInt64($1) }
    }

    func name(at offset: Int) -> String {
        // A member of a structure has the structure's name.
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
