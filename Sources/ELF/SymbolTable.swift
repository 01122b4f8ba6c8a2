import Search

/// A function's symbol, as far as names need it.
struct Symbol {
    /// SVMA.
    var address: UInt64 = 0
    /// In bytes; 0 if the symbol doesn't say.
    var size: UInt64 = 0
    /// Offset of its name in the string table.
    var name: UInt32
    /// Number of that string table.
    var table: UInt8
    /// The more, the better known is this name among several of one address.
    var rank: UInt8 = 0
    /// `st_shndx`
    var section: UInt16 = 0
    private var kind = Kind.function

    private enum Kind: UInt8 { case function, label, stub }

    /// Local, without a type and without a size.
    var isLabel: Bool { kind == .label && size == 0 }
    /// Of a procedure linkage table.
    var isStub: Bool { kind == .stub }

    init(name: UInt32, table: UInt8) {
        self.name = name
        self.table = table
    }

    /// Whatever else is said to be there.
    mutating func makeStub() { (kind, rank) = (.stub, .max) }

    mutating func makeLabel() { kind = .label }
}

/// An `SHT_SYMTAB` or `SHT_DYNSYM`, and its string table (gABI, "Symbol Table").
struct SymbolTable {
    let names: UnsafeRawBufferPointer
    /// How many symbols it has.
    var count: Int { symbols.count / entrySize }
    private let symbols: UnsafeRawBufferPointer
    /// `.gnu.version`: a number for each symbol; empty if there is none.
    private let versions: UnsafeRawBufferPointer
    private let image: ELFImage
    private var entrySize: Int { image.is64Bit ? 24 : 16 }

    init(_ table: Section, of image: ELFImage, _ sections: [Section]) throws(ELFError) {
        self.image = image
        guard sections.indices.contains(Int(table.link)) else {
            throw image.malformed("there is no string table in section \(table.link)", section: table.name)
        }
        let entrySize = image.is64Bit ? 24 : 16
        symbols = try image.bytes(of: table)
        names = try image.bytes(of: sections[Int(table.link)])
        guard symbols.count % entrySize == 0 else {
            throw image.malformed(
                "a symbol is cut off", section: table.name,
                offset: UInt64(symbols.count - symbols.count % entrySize))
        }
        // SHT_GNU_versym. Without it, all versions are as good.
        let version = sections.first { $0.type == 0x6fff_ffff && $0.link == UInt32(truncatingIfNeeded: table.index) }
        var versions = UnsafeRawBufferPointer(start: nil, count: 0)
        if let version, let bytes = try? image.bytes(of: version) { versions = bytes }
        self.versions = versions
    }

    /// `st_name` of a symbol that has a name.
    func nameOffset(_ number: Int) -> UInt32? {
        guard number >= 0, number < count else { return nil }
        let offset = symbols.integer(UInt32.self, at: number * entrySize, bigEndian: image.isBigEndian)
        return offset.flatMap { byte($0) ?? 0 == 0 ? nil : $0 }
    }

    /// The byte of the string table at an offset.
    private func byte(_ offset: UInt32) -> UInt8? { Int(offset) < names.count ? names[Int(offset)] : nil }

    /// Functions that are defined here.
    ///
    /// - Parameters:
    ///   - number: the string table's.
    ///   - limit: how many symbols are read.
    func functions(in code: CodeSections, number: UInt8, limit: Int) -> [Symbol] {
        var found: [Symbol] = []
        for index in 0..<min(count, limit) {
            if let symbol = function(index, code, table: number) { found.append(symbol) }
        }
        return found
    }

    private func function(_ index: Int, _ code: CodeSections, table: UInt8) -> Symbol? {
        let offset = index * entrySize
        func field<T: FixedWidthInteger>(_ type: T.Type, _ offset64: Int, _ offset32: Int) -> T? {
            symbols.integer(type, at: offset + (image.is64Bit ? offset64 : offset32), bigEndian: image.isBigEndian)
        }
        guard let info = field(UInt8.self, 4, 12), let section = field(UInt16.self, 6, 14), section != 0,
            let name = field(UInt32.self, 0, 0), byte(name) ?? 0 != 0,
            let address = image.is64Bit ? field(UInt64.self, 8, 0) : field(UInt32.self, 0, 4).map(UInt64.init),
            let size = image.is64Bit ? field(UInt64.self, 16, 0) : field(UInt32.self, 0, 8).map(UInt64.init)
        else { return nil }
        let (type, binding) = (info & 0xf, info >> 4)
        var symbol = Symbol(name: name, table: table)
        (symbol.address, symbol.size, symbol.section) = (address, size, section)
        let hasType = type == 2 || type == 10  // STT_FUNC, STT_GNU_IFUNC
        if !hasType {
            // STT_NOTYPE: what assembly defines and gives no type, and much that is no function.
            guard type == 0, code.end(of: symbol) != nil, !isTemporary(name, isLocal: binding == 0) else { return nil }
            if binding == 0 { symbol.makeLabel() }
        }
        symbol.rank = rank(index, name, hasType: hasType, binding: binding, hasSize: size > 0)
        return symbol
    }

    /// Mapping symbols (`$x`, `$d.1`; ELF for the Arm 64-bit Architecture, "Mapping symbols"; `$xrv64…` of RISC-V), and
    /// what compilers, assemblers and their plugins mark for themselves (`.L1`, `..@2.end`, `.annobin_…`).
    private func isTemporary(_ name: UInt32, isLocal: Bool) -> Bool {
        guard isLocal else { return false }
        if byte(name) == UInt8(ascii: ".") { return true }
        guard byte(name) == UInt8(ascii: "$"), let letter = byte(name &+ 1) else { return false }
        let next = byte(name &+ 2) ?? 0
        return letter == UInt8(ascii: "x") && next == UInt8(ascii: "r")
            || [UInt8(ascii: "x"), UInt8(ascii: "d"), UInt8(ascii: "a"), UInt8(ascii: "t")].contains(letter)
                && (next == 0 || next == UInt8(ascii: "."))
    }

    /// How well people know a name: a function's before a mark's; one that other files can call; without underscores
    /// before it (`puts` is weak, and `_IO_puts` global); global before weak; in its default version; with a size.
    private func rank(_ index: Int, _ name: UInt32, hasType: Bool, binding: UInt8, hasSize: Bool) -> UInt8 {
        let isGlobal = binding != 0 && binding != 2
        var underscores: UInt8 = 0
        while underscores < 2, byte(name &+ UInt32(underscores)) == UInt8(ascii: "_") { underscores += 1 }
        return (hasType ? 0x40 : 0) | (binding != 0 ? 0x20 : 0) | (2 - underscores) << 3 | (isGlobal ? 4 : 0)
            | (isDefaultVersion(index, name) ? 2 : 0) | (hasSize ? 1 : 0)
    }

    /// Not `name@VERSION`, nor VERSYM_HIDDEN in `.gnu.version` (LSB, "Symbol Version Table").
    private func isDefaultVersion(_ index: Int, _ name: UInt32) -> Bool {
        if let version = versions.integer(UInt16.self, at: index * 2, bigEndian: image.isBigEndian) {
            return version & 0x8000 == 0
        }
        // Names that long have no version that anybody would see.
        let rest = names[Int(name)..<min(names.count, Int(name) + 256)].prefix { $0 != 0 }
        guard let at = rest.firstIndex(of: UInt8(ascii: "@")) else { return true }
        return at + 1 < rest.endIndex && rest[at + 1] == UInt8(ascii: "@")
    }
}

/// Where an image's code is, for symbols that don't say where they end.
struct CodeSections {
    /// By section; nil of one without code.
    private let ranges: [Range<UInt64>?]
    /// By rising address.
    private let all: [Range<UInt64>]
    private let isRelocatable: Bool

    init(of image: ELFImage, _ sections: [Section]) {
        ranges = sections.map { section in
            guard section.isExecutable else { return nil }
            let (end, overflow) = section.address.addingReportingOverflow(section.size)
            return section.address..<(overflow ? .max : end)
        }
        let known = ranges.compactMap { $0 }
        all = known.isEmpty ? image.executableSegments : known.sorted { $0.lowerBound < $1.lowerBound }
        isRelocatable = image.fileType == .relocatable
    }

    /// Where the code section ends that a symbol is in; nil if it is in none.
    func end(of symbol: Symbol) -> UInt64? {
        if ranges.indices.contains(Int(symbol.section)) {
            guard let range = ranges[Int(symbol.section)] else { return nil }
            if range.contains(symbol.address) { return range.upperBound }
        }
        // Absolute, or of a section that has no number in 16 bits.
        guard !isRelocatable else { return nil }
        guard let index = all.lastIndex(atMost: symbol.address, by: { $0.lowerBound }) else { return nil }
        return all[index].contains(symbol.address) ? all[index].upperBound : nil
    }
}
