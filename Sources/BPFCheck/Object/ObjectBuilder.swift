import ELF

/// Assembles functions from symbols, and the targets of instructions from relocations, as libbpf does.
struct ObjectBuilder {
    let image: ELFImage
    let sections: [Section]
    let btf: BTF?
    let extensions: BTFExtension
    private(set) var functions: [Function] = []
    private(set) var maps: [MapDefinition] = []

    /// Functions, by section and offset.
    private var places: [Place: Int] = [:]
    private var symbols: Symbols?
    /// Functions of the kernel that BTF declares, with their types.
    private(set) var kernelFunctions: [String: Int] = [:]
    private var typedVariables: Set<String> = []
    private var configuration: Set<String> = []

    private struct Place: Hashable {
        let section: Int
        let offset: Int
    }

    init(image: ELFImage, sections: [Section], btf: BTF?, extensions: BTFExtension) {
        self.image = image
        self.sections = sections
        self.btf = btf
        self.extensions = extensions
    }

    // MARK: Functions

    mutating func readFunctions() throws(ELFError) {
        symbols = try Symbols(sections, of: image)
        guard let symbols else { return }
        if let btf {
            maps = try MapDefinition.all(in: btf)
            try readExternals(btf)
        }
        var codes: [Int: SectionReader] = [:]
        var found: [(symbol: Symbol, place: Place)] = []
        for index in 0..<symbols.count {
            let symbol = try symbols.symbol(index)
            guard symbol.isFunction, symbol.size > 0, sections.indices.contains(symbol.section),
                sections[symbol.section].isExecutable
            else { continue }
            found.append((symbol, Place(section: symbol.section, offset: symbol.value)))
        }
        // Global names first, so that a function with two names gets the one that other objects can see.
        found.sort {
            ($0.place.section, $0.place.offset, $0.symbol.binding == 0 ? 1 : 0)
                < ($1.place.section, $1.place.offset, $1.symbol.binding == 0 ? 1 : 0)
        }
        var end = Place(section: 0, offset: 0)
        // .text contains functions that programs call; only a lone function may be a program.
        let isLone = found.count == 1
        for (symbol, place) in found where places[place] == nil {
            let section = sections[symbol.section]
            if codes[section.index] == nil { codes[section.index] = try SectionReader(section, of: image) }
            guard let code = codes[section.index] else { continue }
            guard place.section != end.section || place.offset >= end.offset else {
                throw code.malformed("\(symbol.name) overlaps the function before it", at: place.offset)
            }
            let function = try function(symbol, section, code, isProgram: section.name != ".text" || isLone)
            end = Place(section: place.section, offset: symbol.value + symbol.size)
            places[place] = functions.count
            functions.append(function)
        }
    }

    private func function(
        _ symbol: Symbol, _ section: Section, _ code: SectionReader, isProgram: Bool
    ) throws(ELFError) -> Function {
        guard symbol.value <= code.count, symbol.size <= code.count - symbol.value,
            symbol.value % Instruction.size == 0, symbol.size % Instruction.size == 0
        else { throw code.malformed("\(symbol.name) is not whole instructions of the section", at: symbol.value) }
        var instructions: [Instruction] = []
        instructions.reserveCapacity(symbol.size / Instruction.size)
        for offset in stride(from: symbol.value, to: symbol.value + symbol.size, by: Instruction.size) {
            instructions.append(try code.instruction(at: offset))
        }
        let type = extensions.functions[section.name]?[symbol.value]
        var isGlobal = false
        // Linkage 1 is global. libbpf makes hidden functions static, so that kernels verify them at each call.
        if let btf, let type, btf.kind(of: type) == .function, !symbol.isHidden, !isProgram {
            isGlobal = try btf.count(of: type) == 1
        }
        var function = Function(
            name: symbol.name, section: section.name, start: symbol.value, instructions: instructions, type: type,
            isGlobal: isGlobal, isProgram: isProgram, kind: isProgram ? ProgramKind(section: section.name) : nil,
            lines: extensions.lines[section.name] ?? [])
        if let relocations = extensions.relocations[section.name] {
            for index in instructions.indices {
                function.coreRelocations[index] = relocations[symbol.value + index * Instruction.size]
            }
        }
        return function
    }

    /// Reads the declarations in BTF's sections `.ksyms` and `.kconfig`.
    private mutating func readExternals(_ btf: BTF) throws(ELFError) {
        for section in btf.types where btf.kind(of: section) == .dataSection {
            switch try btf.name(of: section) {
            case ".ksyms":
                for member in try btf.members(of: section) {
                    if btf.kind(of: member.type) == .function {
                        kernelFunctions[member.name] = member.type
                    } else if btf.kind(of: member.type) == .variable,
                        let type = try btf.plain(btf.reference(of: member.type)), type != 0
                    {
                        typedVariables.insert(member.name)
                    }
                }
            case ".kconfig": for member in try btf.members(of: section) { configuration.insert(member.name) }
            default: break
            }
        }
    }

    /// The sections of constants that programs may read, with the names of their variables.
    func constants() throws(ELFError) -> [Int: ConstantData] {
        var names: [Int: [Int: String]] = [:]
        for index in 0..<(symbols?.count ?? 0) {
            guard let symbol = try symbols?.symbol(index), symbol.kind == 1 else { continue }
            names[symbol.section, default: [:]][symbol.value] = symbol.name
        }
        var constants: [Int: ConstantData] = [:]
        for section in sections where section.isConstantData {
            let reader = try SectionReader(section, of: image)
            constants[section.index] = ConstantData(
                section: section.name, bytes: reader.bytes, isBigEndian: reader.isBigEndian,
                names: names[section.index] ?? [:])
        }
        return constants
    }

    // MARK: Relocations

    mutating func readRelocations() throws(ELFError) {
        var targets: [Place: Symbol] = [:]
        for section in sections where section.type == 9 && sections.indices.contains(Int(section.info)) {
            guard sections[Int(section.info)].isExecutable, let symbols else { continue }
            let reader = try SectionReader(section, of: image)
            for offset in stride(from: 0, to: reader.count - 15, by: 16) {
                let place = Int(clamping: try reader.integer(UInt64.self, at: offset))
                // In r_info, the symbol is the upper half in either byte order.
                let symbol = Int(try reader.integer(UInt64.self, at: offset + 8) >> 32)
                targets[Place(section: Int(section.info), offset: place)] = try symbols.symbol(symbol)
            }
        }
        let mapNumbers = Dictionary(maps.enumerated().map { ($1.name, $0) }) { first, _ in first }
        for (place, index) in places {
            for slot in functions[index].firstSlots {
                let instruction = functions[index].instructions[slot]
                let here = Place(section: place.section, offset: place.offset + slot * Instruction.size)
                let target = targets[here]
                switch instruction.kind {
                case .call where instruction.source == Instruction.Pseudo.call:
                    functions[index].references[slot] = callee(instruction, here, target)
                case .wideConstant:
                    if let target {
                        functions[index].references[slot] = constant(instruction, target, mapNumbers)
                    }
                default: break
                }
            }
            functions[index].collectReferences()
        }
    }

    private func callee(_ instruction: Instruction, _ place: Place, _ symbol: Symbol?) -> Function.Reference {
        let distance = (Int(instruction.immediate) + 1) * Instruction.size
        guard let symbol else { return function(at: Place(section: place.section, offset: place.offset + distance)) }
        guard symbol.section != 0 else {
            guard kernelFunctions[symbol.name] != nil else {
                return .nowhere("\(symbol.name)(), which is not in the object")
            }
            return .kernelFunction(name: symbol.name, isWeak: symbol.isWeak)
        }
        guard sections.indices.contains(symbol.section), sections[symbol.section].name == ".text" else {
            // A call of a static function refers to the section's symbol, which has no name.
            let place = Place(section: symbol.section, offset: symbol.isSection ? distance : symbol.value)
            let name = symbol.name.isEmpty ? places[place].map { functions[$0].name } : symbol.name
            return .nowhere(
                "\(name.map { "\($0)()" } ?? "a function"), which isn't in .text, where libbpf expects all functions "
                    + "that programs call")
        }
        // clang encodes a call of a static function as a distance from the start of the section.
        let offset = symbol.isSection ? distance : 0
        return function(at: Place(section: symbol.section, offset: symbol.value.addingClamped(offset)))
    }

    private func function(at place: Place) -> Function.Reference {
        if let function = places[place] { return .function(function) }
        let section = sections.indices.contains(place.section) ? sections[place.section].name : "?"
        return .nowhere("\(section)+\(place.offset), which is not the start of a function")
    }

    private func constant(
        _ instruction: Instruction, _ symbol: Symbol, _ mapNumbers: [String: Int]
    ) -> Function.Reference {
        guard symbol.section != 0 else {
            if kernelFunctions[symbol.name] != nil {
                return .kernelFunction(name: symbol.name, isWeak: symbol.isWeak)
            }
            if configuration.contains(symbol.name) { return .configuration(name: symbol.name) }
            return .kernelVariable(
                name: symbol.name, isTyped: typedVariables.contains(symbol.name), isWeak: symbol.isWeak)
        }
        guard sections.indices.contains(symbol.section) else { return .data }
        if sections[symbol.section].isExecutable {
            let offset = symbol.isSection ? Int(instruction.immediate) : 0
            let place = Place(section: symbol.section, offset: symbol.value.addingClamped(offset))
            return places[place].map(Function.Reference.callback) ?? .data
        }
        if sections[symbol.section].isConstantData {
            let offset = symbol.value.addingClamped(Int(instruction.immediate))
            return offset <= Int(clamping: sections[symbol.section].size)
                ? .constant(section: symbol.section, offset: offset) : .data
        }
        if sections[symbol.section].name == ".maps", let map = mapNumbers[symbol.name] { return .map(map) }
        return .data
    }
}

extension Section {
    /// `.rodata` and `.rodata.NAME`, from which libbpf makes read-only maps; not the sections of literals.
    fileprivate var isConstantData: Bool {
        (name == ".rodata" || name.hasPrefix(".rodata.")) && !name.hasPrefix(".rodata.str") && type == 1
            && !name.hasPrefix(".rodata.cst")
    }
}

extension Int {
    /// Symbols may have any value.
    fileprivate func addingClamped(_ other: Int) -> Int {
        let sum = addingReportingOverflow(other)
        return sum.overflow ? .max : sum.partialValue
    }
}
