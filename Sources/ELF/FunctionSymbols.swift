/// The functions of an image by address. Names are made into strings only when a lookup gives them.
public struct FunctionSymbols {
    private struct Entry {
        let address: UInt64
        let size: UInt64
        let nameOffset: UInt32
        /// The more, the better known is this name among several of one address.
        let rank: UInt8
    }

    /// By address, one for each.
    private var entries: [Entry] = []
    private var names = UnsafeRawBufferPointer(start: nil, count: 0)
    /// Owns `names`.
    private let image: ELFImage

    /// How many addresses have a name.
    public var count: Int { entries.count }
    public var isEmpty: Bool { entries.isEmpty }

    /// How many entries a lookup goes back when the nearest function ends before the address. Functions hardly ever
    /// contain others, and then few.
    private static let nestingLimit = 16

    /// The function that contains the SVMA `address`, and how many bytes after its start that is; nil if there is none.
    /// A function of unknown size (0, as for hand-written assembly) reaches to the next one.
    public func lookup(_ address: UInt64) -> (name: String, offset: UInt64)? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = low + (high - low) / 2
            if entries[middle].address <= address { low = middle + 1 } else { high = middle }
        }
        for index in stride(from: low - 1, through: max(0, low - Self.nestingLimit), by: -1) {
            let entry = entries[index]
            let offset = address - entry.address
            let contains = entry.size == 0 ? index == low - 1 : offset < entry.size
            if contains, let name = names.stringBytes(at: Int(entry.nameOffset)) {
                return (String(decoding: name, as: UTF8.self), offset)
            }
        }
        return nil
    }

    init(image: ELFImage) {
        self.image = image
    }

    /// Reads an `SHT_SYMTAB` or `SHT_DYNSYM` and the string table that belongs to it (gABI, "Symbol Table").
    init(_ table: Section, of image: ELFImage) throws(ELFError) {
        self.image = image
        let sections = try image.sections()
        guard sections.indices.contains(Int(table.link)) else {
            throw image.malformed("there is no string table in section \(table.link)", section: table.name)
        }
        let symbols = try image.bytes(of: table)
        names = try image.bytes(of: sections[Int(table.link)])
        let entrySize = image.is64Bit ? 24 : 16
        guard symbols.count % entrySize == 0 else {
            throw image.malformed(
                "a symbol is cut off", section: table.name,
                offset: UInt64(symbols.count - symbols.count % entrySize))
        }
        for offset in stride(from: 0, to: symbols.count, by: entrySize) {
            if let entry = Self.function(in: symbols, at: offset, of: image), Int(entry.nameOffset) < names.count,
               names[Int(entry.nameOffset)] != 0 {
                entries.append(entry)
            }
        }
        sortAndKeepBest()
    }

    /// The symbol at `offset` if it is a function that is defined here.
    private static func function(in symbols: UnsafeRawBufferPointer, at offset: Int, of image: ELFImage) -> Entry? {
        func field<T: FixedWidthInteger>(_ type: T.Type, _ offset64: Int, _ offset32: Int) -> T? {
            symbols.integer(type, at: offset + (image.is64Bit ? offset64 : offset32), bigEndian: image.isBigEndian)
        }
        guard let info = field(UInt8.self, 4, 12), let home = field(UInt16.self, 6, 14), home != 0,
              info & 0xf == 2 || info & 0xf == 10,  // STT_FUNC, STT_GNU_IFUNC
              let name = field(UInt32.self, 0, 0),
              let address = image.is64Bit ? field(UInt64.self, 8, 0) : field(UInt32.self, 0, 4).map(UInt64.init),
              let size = image.is64Bit ? field(UInt64.self, 16, 0) : field(UInt32.self, 0, 8).map(UInt64.init)
        else { return nil }
        // STB_GLOBAL before STB_WEAK before STB_LOCAL; any of them with a size before those without.
        let binding: UInt8 = info >> 4 == 1 ? 2 : info >> 4 == 2 ? 1 : 0
        return Entry(address: address, size: size, nameOffset: name, rank: binding + (size > 0 ? 4 : 0))
    }

    private mutating func sortAndKeepBest() {
        entries.sort {
            ($0.address, $1.rank, $0.nameOffset) < ($1.address, $0.rank, $1.nameOffset)
        }
        var kept = 0
        for index in entries.indices where kept == 0 || entries[kept - 1].address != entries[index].address {
            entries[kept] = entries[index]
            kept += 1
        }
        entries.removeSubrange(kept...)
    }
}

extension ELFImage {
    /// The functions of `.symtab`, or of `.dynsym` if that has none or is missing. In relocatable files, addresses are
    /// relative to the sections, and overlap.
    ///
    /// Throws ``ELFError`` if the section headers are broken, or a symbol or string table lies outside the image.
    public func functionSymbols() throws(ELFError) -> FunctionSymbols {
        for name in [".symtab", ".dynsym"] {
            guard let table = try section(named: name), table.isSymbolTable else { continue }
            let symbols = try FunctionSymbols(table, of: self)
            if !symbols.isEmpty { return symbols }
        }
        return FunctionSymbols(image: self)
    }
}
