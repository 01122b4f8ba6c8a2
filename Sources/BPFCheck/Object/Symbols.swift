import ELF

/// A symbol of the object (gABI, "Symbol Table").
struct Symbol {
    let name: String
    /// `st_shndx`; 0 if it isn't defined in this object.
    let section: Int
    let value: Int
    let size: Int
    let kind: UInt8
    let binding: UInt8
    let visibility: UInt8

    var isFunction: Bool { kind == 2 }
    var isSection: Bool { kind == 3 }
    var isLocal: Bool { binding == 0 }
    var isWeak: Bool { binding == 2 }
    /// `STV_HIDDEN` or `STV_INTERNAL`; libbpf makes such functions static.
    var isHidden: Bool { visibility == 1 || visibility == 2 }
}

/// The symbol table, read one symbol at a time.
struct Symbols {
    private let table: SectionReader
    private let names: SectionReader

    static let entrySize = 24

    /// Nil if the object has no symbol table.
    init?(_ sections: [Section], of image: ELFImage) throws(ELFError) {
        guard let section = sections.first(where: { $0.type == 2 }) else { return nil }
        table = try SectionReader(section, of: image)
        guard sections.indices.contains(Int(section.link)) else {
            throw table.malformed("there is no string table in section \(section.link)", at: 0)
        }
        names = try SectionReader(sections[Int(section.link)], of: image)
    }

    var count: Int { table.count / Self.entrySize }

    func symbol(_ index: Int) throws(ELFError) -> Symbol {
        guard index >= 0, index < count else { throw table.malformed("there is no symbol \(index)", at: 0) }
        let place = index * Self.entrySize
        let info = try table.integer(UInt8.self, at: place + 4)
        let value = try table.integer(UInt64.self, at: place + 8)
        let size = try table.integer(UInt64.self, at: place + 16)
        return Symbol(
            name: try names.string(at: table.word(at: place)),
            section: Int(try table.integer(UInt16.self, at: place + 6)), value: Int(clamping: value),
            size: Int(clamping: size), kind: info & 15, binding: info >> 4,
            visibility: try table.integer(UInt8.self, at: place + 5) & 3)
    }
}
