import Search

/// A function's symbol, as far as lookups of names need it.
struct Symbol {
    /// SVMA.
    var address: UInt64 = 0
    /// In bytes; 0 if the symbol states none.
    var size: UInt64 = 0
    /// Offset of the name in the string table.
    var name: UInt32
    /// The number of that string table.
    var table: UInt8
    /// Of several symbols at one address, the one with the highest rank gives the name.
    var rank: UInt8 = 0
    /// `st_shndx`
    var section: UInt16 = 0
    private var kind = Kind.function

    private enum Kind: UInt8 { case function, label, stub }

    /// Whether it is local, without type and size.
    var isLabel: Bool { kind == .label && size == 0 }
    /// Whether it is a stub of a procedure linkage table.
    var isStub: Bool { kind == .stub }

    init(name: UInt32, table: UInt8) {
        self.name = name
        self.table = table
    }

    /// Marks it as a stub, which takes precedence over any other symbol at its address.
    mutating func makeStub() { (kind, rank) = (.stub, .max) }

    mutating func makeLabel() { kind = .label }
}

/// An `SHT_SYMTAB` or `SHT_DYNSYM`, and its string table (gABI, "Symbol Table").
struct SymbolTable {
    let names: UnsafeRawBufferPointer
    /// The number of symbols.
    var count: Int { symbols.count / entrySize }
    private let symbols: UnsafeRawBufferPointer
    /// `.gnu.version`: 16 bits for each symbol; empty if there is none.
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
        // SHT_GNU_versym. Without it, no version is preferred.
        let version = sections.first { $0.type == 0x6fff_ffff && $0.link == UInt32(truncatingIfNeeded: table.index) }
        var versions = UnsafeRawBufferPointer(start: nil, count: 0)
        if let version, let bytes = try? image.bytes(of: version) { versions = bytes }
        self.versions = versions
    }

    /// `st_name` of a symbol; nil if it has no name.
    func nameOffset(_ number: Int) -> UInt32? {
        guard number >= 0, number < count else { return nil }
        let offset = symbols.integer(UInt32.self, at: number * entrySize, bigEndian: image.isBigEndian)
        return offset.flatMap { byte($0) ?? 0 == 0 ? nil : $0 }
    }

    /// The byte at an offset of the string table.
    private func byte(_ offset: UInt32) -> UInt8? { Int(offset) < names.count ? names[Int(offset)] : nil }

    /// Adds the functions that the image defines.
    ///
    /// - Parameters:
    ///   - number: the number of the string table.
    ///   - limit: the number of symbols to read.
    func addFunctions(to found: inout [Symbol], in code: CodeSections, number: UInt8, limit: Int) {
        // Memory that isn't used in the end is never touched.
        found.reserveCapacity(found.count + min(count, limit))
        for index in 0..<min(count, limit) {
            if let symbol = function(index, code, table: number) { found.append(symbol) }
        }
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
            // STT_NOTYPE: functions that assembly defines without a type, but also much that isn't a function.
            guard type == 0, code.end(of: symbol) != nil, !isTemporary(name, isLocal: binding == 0) else { return nil }
            if binding == 0 { symbol.makeLabel() }
        }
        symbol.rank = rank(index, name, hasType: hasType, binding: binding, hasSize: size > 0)
        return symbol
    }

    /// Whether it is a mapping symbol (`$x`, `$d.1`: ELF for the Arm 64-bit Architecture, "Mapping symbols"; `$xrv64…`
    /// on RISC-V), or a label that compilers, assemblers and their plugins create for themselves (`.L1`, `..@2.end`,
    /// `.annobin_…`).
    private func isTemporary(_ name: UInt32, isLocal: Bool) -> Bool {
        guard isLocal else { return false }
        if byte(name) == UInt8(ascii: ".") { return true }
        guard byte(name) == UInt8(ascii: "$"), let letter = byte(name &+ 1) else { return false }
        let next = byte(name &+ 2) ?? 0
        return letter == UInt8(ascii: "x") && next == UInt8(ascii: "r")
            || [UInt8(ascii: "x"), UInt8(ascii: "d"), UInt8(ascii: "a"), UInt8(ascii: "t")].contains(letter)
                && (next == 0 || next == UInt8(ascii: "."))
    }

    /// How well known a name is. In order of importance: it belongs to a function; other files can call it; it has no
    /// leading underscores (`puts` is weak, `_IO_puts` global); it is global, not weak; it has the default version; it
    /// has a size.
    private func rank(_ index: Int, _ name: UInt32, hasType: Bool, binding: UInt8, hasSize: Bool) -> UInt8 {
        let isGlobal = binding != 0 && binding != 2
        var underscores: UInt8 = 0
        while underscores < 2, byte(name &+ UInt32(underscores)) == UInt8(ascii: "_") { underscores += 1 }
        return (hasType ? 0x40 : 0) | (binding != 0 ? 0x20 : 0) | (2 - underscores) << 3 | (isGlobal ? 4 : 0)
            | (isDefaultVersion(index, name) ? 2 : 0) | (hasSize ? 1 : 0)
    }

    /// Whether it is neither `name@VERSION` nor marked VERSYM_HIDDEN in `.gnu.version` (LSB, "Symbol Version Table").
    private func isDefaultVersion(_ index: Int, _ name: UInt32) -> Bool {
        if let version = versions.integer(UInt16.self, at: index * 2, bigEndian: image.isBigEndian) {
            return version & 0x8000 == 0
        }
        // Nobody looks for a version after so long a name.
        let rest = names[Int(name)..<min(names.count, Int(name) + 256)].prefix { $0 != 0 }
        guard let at = rest.firstIndex(of: UInt8(ascii: "@")) else { return true }
        return at + 1 < rest.endIndex && rest[at + 1] == UInt8(ascii: "@")
    }
}

/// The extents of an image's code, for symbols without a size.
struct CodeSections {
    /// By section index; nil for a section without code.
    private let ranges: [Range<UInt64>?]
    /// By ascending address.
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

    /// The end of the code section that contains a symbol; nil if none does.
    func end(of symbol: Symbol) -> UInt64? {
        if ranges.indices.contains(Int(symbol.section)) {
            guard let range = ranges[Int(symbol.section)] else { return nil }
            if range.contains(symbol.address) { return range.upperBound }
        }
        // An absolute symbol, or one whose section index doesn't fit 16 bits.
        guard !isRelocatable else { return nil }
        guard let index = all.lastIndex(atMost: symbol.address, by: { $0.lowerBound }) else { return nil }
        return all[index].contains(symbol.address) ? all[index].upperBound : nil
    }
}
