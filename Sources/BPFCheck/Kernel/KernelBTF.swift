import ELF
import Files
import Glibc

/// The types of a kernel: `/sys/kernel/btf/vmlinux`, or a kernel's ELF file with a section `.BTF`; or the directory
/// `/sys/kernel/btf`, which also has the types of loaded modules.
public struct KernelBTF: Sendable {
    public let path: String
    let types: BTF
    /// The modules' types; nil if they aren't known.
    private let modules: [Module]?
    private let named: [UInt64: [Int]]
    /// Functions that the kernel marks as callable; nil if it marks none, as before 6.10.
    private let callable: Set<Int>?
    /// Enumerators in unnamed enumerations that start like BPF's flags.
    private let flags: Set<String>

    private struct Module {
        let types: BTF
        let named: [UInt64: [Int]]
    }

    /// The types of the running kernel and its modules.
    public static let running = "/sys/kernel/btf"

    /// - Parameter path: a file, or a directory with `vmlinux` and a file for each module.
    /// - Throws: ``ELFError`` if it can't be read, isn't BTF, or is malformed.
    public init(path: String) throws(ELFError) {
        guard let names = Self.entries(of: path) else {
            try self.init(path: path, Self.types(path, nil), modules: nil)
            return
        }
        let types = try Self.types(path + "/vmlinux", nil)
        var modules: [Module] = []
        for name in names.sorted() where name != "vmlinux" {
            let module = try Self.types("\(path)/\(name)", types)
            modules.append(Module(types: module, named: module.typesByHash()))
        }
        try self.init(path: path, types, modules: modules)
    }

    private static func types(_ path: String, _ base: BTF?) throws(ELFError) -> BTF {
        let image: ELFImage
        do {
            // With debug information the file may be a gigabyte, so only the section is read.
            image = try ELFImage(path: path)
        } catch  where error.kind == .notELF {
            let bytes = try SectionReader.contents(of: path)
            return try BTF(SectionReader(file: path, section: "BTF", bytes: bytes, isBigEndian: false), base: base)
        }
        guard let section = try image.sections().first(where: { $0.name == ".BTF" }) else {
            throw ELFError(file: path, kind: .unsupported("an ELF file without .BTF"))
        }
        return try BTF(SectionReader(section, of: image), base: base)
    }

    /// The names of a directory's files; nil if it isn't a directory.
    private static func entries(of path: String) -> [String]? {
        let names = try? Directory.names(in: path)
        return names?.filter { !$0.hasPrefix(".") }
    }

    private init(path: String, _ types: BTF, modules: [Module]?) throws(ELFError) {
        self.path = path
        self.types = types
        self.modules = modules
        named = types.typesByHash()
        var callable: Set<Int> = []
        var flags: Set<String> = []
        for type in types.types {
            switch types.kind(of: type) {
            case .declarationTag where try types.name(of: type) == "bpf_kfunc":
                callable.insert(try types.reference(of: type))
            case .enumeration where try types.name(of: type) == "":
                guard try types.enumerator(0, of: type)?.hasPrefix("BPF_") == true else { continue }
                flags.formUnion(try types.enumerators(of: type).map(\.name))
            default: break
            }
        }
        self.flags = flags
        self.callable = callable.isEmpty ? nil : callable
    }

    /// Types with this name, which has no flavour.
    func types(named name: String, _ kinds: BTF.Kind...) -> [Int] {
        (named[BTF.hash(name.utf8)] ?? []).filter { type in
            types.kind(of: type).map(kinds.contains) ?? false && (try? types.name(of: type)) == name
        }
    }

    /// Whether the modules' types are known.
    var knowsModules: Bool { modules != nil }

    func hasFunction(_ name: String) -> Bool { has(name, .function) }

    /// Whether the kernel or a module has it.
    func has(_ name: String, _ kind: BTF.Kind) -> Bool {
        guard types(named: name, kind).isEmpty else { return true }
        return modules?.contains { module in
            (module.named[BTF.hash(name.utf8)] ?? []).contains {
                module.types.kind(of: $0) == kind && (try? module.types.name(of: $0)) == name
            }
        } ?? false
    }

    /// Whether programs may call the function; nil if the kernel doesn't state it, or if a module has the function.
    func isCallable(_ name: String) -> Bool? {
        guard let callable, !types(named: name, .function).isEmpty else { return nil }
        return types(named: name, .function).contains { callable.contains($0) }
    }

    func hasFlag(_ name: String) -> Bool { flags.contains(name) }

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
