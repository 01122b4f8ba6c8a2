import ELF

/// An object file with BPF programs, as clang writes it and libbpf loads it.
public struct BPFObject {
    public let path: String
    /// Without BTF, the kernel treats all functions as static, and maps aren't known.
    public let hasBTF: Bool
    /// Whether maps are defined in a section named `maps`, which libbpf 1.0 no longer supports.
    public let hasLegacyMaps: Bool
    /// The contents of the section `license`; empty if there is none.
    public let licence: String
    let btf: BTF?
    let constants: [Int: ConstantData]
    /// The names of the sections that aren't empty.
    let sectionNames: Set<String>
    /// Functions of the kernel that the object declares, with their types.
    let kernelFunctionTypes: [String: Int]
    let functions: [Function]
    let maps: [MapDefinition]
    let programs: [LoadedProgram]

    /// Throws ``ELFError`` if the file isn't a relocatable ELF file for BPF, or is malformed; with section and offset.
    public init(path: String) throws(ELFError) {
        try self.init(ELFImage(path: path))
    }

    public init(bytes: [UInt8], name: String) throws(ELFError) {
        try self.init(ELFImage(bytes: bytes, name: name))
    }

    private init(_ image: ELFImage) throws(ELFError) {
        guard image.machine == .bpf else {
            throw ELFError(file: image.name, kind: .unsupported("an ELF file for \(image.machine.name), not for BPF"))
        }
        guard image.fileType == .relocatable, image.is64Bit else {
            throw ELFError(file: image.name, kind: .unsupported("not a relocatable file of 64 bits"))
        }
        let sections = try image.sections()
        var btf: BTF?
        var extensions = BTFExtension()
        if let section = sections.first(where: { $0.name == ".BTF" }) {
            let types = try BTF(section, of: image)
            btf = types
            if let section = sections.first(where: { $0.name == ".BTF.ext" }) {
                extensions = try BTFExtension(section, of: image, btf: types)
            }
        }
        var builder = ObjectBuilder(image: image, sections: sections, btf: btf, extensions: extensions)
        try builder.readFunctions()
        try builder.readRelocations()
        path = image.name
        hasBTF = btf != nil
        hasLegacyMaps = sections.contains { $0.name == "maps" && $0.size > 0 }
        self.btf = btf
        licence = try Self.licence(sections, image)
        constants = try builder.constants()
        sectionNames = Set(sections.filter { $0.size > 0 }.map(\.name))
        kernelFunctionTypes = builder.kernelFunctions
        functions = builder.functions
        maps = builder.maps
        guard let programs = LoadedProgram.all(functions) else {
            throw ELFError(file: image.name, kind: .unsupported("programs that load a million functions"))
        }
        self.programs = programs
    }

    private static func licence(_ sections: [Section], _ image: ELFImage) throws(ELFError) -> String {
        guard let section = sections.first(where: { $0.name == "license" && $0.size > 0 }) else { return "" }
        return try SectionReader(section, of: image).string(at: 0, limit: 128)
    }

    /// Whether kernels let the programs call functions that are restricted to GPL-compatible licences.
    var isGPLCompatible: Bool {
        ["GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"].contains(licence)
    }

    /// The number of programs, and the number of other functions.
    public var programCount: Int { functions.count { $0.isProgram } }
    public var functionCount: Int { functions.count - programCount }

    /// The source line of an instruction, according to the compiler.
    func source(of instruction: Int, in function: Function) -> SourceLocation? {
        guard let btf, let line = function.line(of: instruction),
            let file = try? btf.string(at: line.file, limit: 4096), !file.isEmpty
        else { return nil }
        return SourceLocation(file: file, line: line.line)
    }
}

/// A line of a source file.
public struct SourceLocation: Hashable, Sendable, CustomStringConvertible {
    public var file: String
    public var line: Int

    public var description: String { "\(file):\(line)" }
}
