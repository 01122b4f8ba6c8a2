import ELF

/// The types of a kernel: `/sys/kernel/btf/vmlinux`, or a kernel's ELF file with a section `.BTF`.
public struct KernelBTF: Sendable {
    public let path: String
    let types: BTF
    private let named: [UInt64: [Int]]
    /// Functions that the kernel marks as callable; nil if it marks none, as before 6.10.
    private let callable: Set<Int>?

    /// What this kernel says of itself.
    public static let running = "/sys/kernel/btf/vmlinux"

    /// - Throws: ``ELFError`` if it can't be read, is no BTF, or is malformed.
    public init(path: String) throws(ELFError) {
        let bytes = try SectionReader.contents(of: path)
        if bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46]) {
            let image = try ELFImage(bytes: bytes, name: path)
            guard let section = try image.sections().first(where: { $0.name == ".BTF" }) else {
                throw ELFError(file: path, kind: .unsupported("an ELF file without .BTF"))
            }
            try self.init(path: path, BTF(section, of: image))
        } else {
            try self.init(path: path, BTF(SectionReader(file: path, section: "BTF", bytes: bytes, isBigEndian: false)))
        }
    }

    init(path: String, _ types: BTF) throws(ELFError) {
        self.path = path
        self.types = types
        named = types.typesByHash()
        var callable: Set<Int> = []
        for type in types.types where types.kind(of: type) == .declarationTag {
            if try types.name(of: type) == "bpf_kfunc" { callable.insert(try types.reference(of: type)) }
        }
        self.callable = callable.isEmpty ? nil : callable
    }

    /// Types of this name, which has no flavour.
    func types(named name: String, _ kinds: BTF.Kind...) -> [Int] {
        (named[BTF.hash(name.utf8)] ?? []).filter { type in
            types.kind(of: type).map(kinds.contains) ?? false && (try? types.name(of: type)) == name
        }
    }

    func hasFunction(_ name: String) -> Bool { !types(named: name, .function).isEmpty }

    /// Whether programs may call the function; nil if the kernel doesn't say.
    func isCallable(_ name: String) -> Bool? {
        guard let callable else { return nil }
        return types(named: name, .function).contains { callable.contains($0) }
    }

    /// The value of an enumerator; nil if the enumeration or the enumerator isn't there.
    func value(of enumerator: String, in enumeration: String) -> Int? {
        for type in types(named: enumeration, .enumeration, .enumeration64) {
            if let value = (try? types.enumerators(of: type))?.first(where: { $0.name == enumerator })?.value {
                return value
            }
        }
        return nil
    }
}
