/// What a relocation type computes: S + A, less P if it is relative to the place (in the psABIs' letters).
struct RelocationRule {
    /// Bytes at the place; 0 for a relocation that does nothing.
    let width: Int
    let isPlaceRelative: Bool

    static let nothing = RelocationRule(width: 0, isPlaceRelative: false)
    static func absolute(_ width: Int) -> RelocationRule { RelocationRule(width: width, isPlaceRelative: false) }
    static func placeRelative(_ width: Int) -> RelocationRule { RelocationRule(width: width, isPlaceRelative: true) }

    /// The rule of a relocation type that assemblers emit for call frame information; nil for any other.
    init?(type: UInt32, machine: Machine) {
        let rule: RelocationRule? =
            switch machine {
            case .x86_64: .x86_64(type)
            case .i386: .i386(type)
            case .aarch64: .aarch64(type)
            default: nil
            }
        guard let rule else { return nil }
        self = rule
    }

    init(width: Int, isPlaceRelative: Bool) {
        self.width = width
        self.isPlaceRelative = isPlaceRelative
    }
}

/// `Elf32_Rel`, `Elf32_Rela`, `Elf64_Rel` or `Elf64_Rela` (gABI, "Relocation").
private struct Relocation {
    let place: UInt64
    let symbol: Int
    let type: UInt32
    /// nil if the addend is at the place (`SHT_REL`).
    let addend: UInt64?

    /// Nil if `bytes` ends before.
    init?(_ bytes: UnsafeRawBufferPointer, at offset: Int, hasAddend: Bool, is64Bit: Bool, bigEndian: Bool) {
        if is64Bit {
            guard let place = bytes.integer(UInt64.self, at: offset, bigEndian: bigEndian),
                  let info = bytes.integer(UInt64.self, at: offset + 8, bigEndian: bigEndian)
            else { return nil }
            self.place = place
            symbol = Int(info >> 32)
            type = UInt32(truncatingIfNeeded: info)
        } else {
            guard let place = bytes.integer(UInt32.self, at: offset, bigEndian: bigEndian),
                  let info = bytes.integer(UInt32.self, at: offset + 4, bigEndian: bigEndian)
            else { return nil }
            self.place = UInt64(place)
            symbol = Int(info >> 8)
            type = info & 0xff
        }
        guard hasAddend else {
            addend = nil
            return
        }
        let addend: UInt64? =
            is64Bit
            ? bytes.integer(UInt64.self, at: offset + 16, bigEndian: bigEndian)
            : bytes.integer(Int32.self, at: offset + 8, bigEndian: bigEndian).map { UInt64(truncatingIfNeeded: $0) }
        guard let addend else { return nil }
        self.addend = addend
    }
}

extension ELFImage {
    /// The relocation sections by the index of the section that they change (`sh_info`).
    func relocationSections(_ sections: [Section]) -> [Int: [Section]] {
        Dictionary(grouping: sections.filter(\.isRelocationTable)) { Int($0.info) }
    }

    /// The bytes of a section of a relocatable file after relocation, each section taken to be at the address that its
    /// header says, which is 0. Without relocations, the bytes as they are.
    func relocatedBytes(
        of section: Section, by tables: [Section], sections: [Section]
    ) throws(ELFError) -> UnsafeRawBufferPointer {
        if let copy = relocated[section.index] { return UnsafeRawBufferPointer(copy.bytes) }
        let original = try bytes(of: section)
        guard !tables.isEmpty else { return original }
        let copy = OwnedMemory(copying: original)
        for table in tables {
            guard sections.indices.contains(Int(table.link)), sections[Int(table.link)].isSymbolTable else {
                throw malformed("there is no symbol table in section \(table.link)", section: table.name)
            }
            try apply(table, to: copy.bytes, of: section, symbols: bytes(of: sections[Int(table.link)]))
        }
        relocated[section.index] = copy
        return UnsafeRawBufferPointer(copy.bytes)
    }

    private func apply(
        _ table: Section, to target: UnsafeMutableRawBufferPointer, of section: Section,
        symbols: UnsafeRawBufferPointer
    ) throws(ELFError) {
        let relocations = try bytes(of: table)
        let hasAddend = table.isRelocationTableWithAddends
        let entrySize = (is64Bit ? 8 : 4) * (hasAddend ? 3 : 2)
        var offset = 0
        while offset < relocations.count {
            func problem(_ kind: ELFError.Kind) -> ELFError {
                ELFError(file: name, section: table.name, offset: UInt64(offset), kind: kind)
            }
            guard let relocation = Relocation(
                relocations, at: offset, hasAddend: hasAddend, is64Bit: is64Bit, bigEndian: isBigEndian)
            else { throw problem(.malformed("a relocation is cut off")) }
            guard let rule = RelocationRule(type: relocation.type, machine: machine) else {
                throw problem(
                    .unsupported("relocation type \(relocation.type) of \(machine.name) in \(section.name)"))
            }
            guard let symbol = symbolValue(relocation.symbol, in: symbols) else {
                throw problem(.malformed("there is no symbol \(relocation.symbol)"))
            }
            guard let place = Place(relocation.place, width: rule.width, of: target, bigEndian: isBigEndian) else {
                throw problem(
                    .malformed("relocates \(section.name)+\(relocation.place.hex), which is outside the section"))
            }
            var value = symbol &+ (relocation.addend ?? place.addend)
            if rule.isPlaceRelative { value = value &- (section.address &+ relocation.place) }
            if !is64Bit { value &= 0xffff_ffff }
            guard place.store(value) else {
                throw problem(.malformed("\(value.hex) doesn't fit \(section.name)+\(relocation.place.hex)"))
            }
            offset += entrySize
        }
    }

    /// `st_value`; 0 for symbol 0, which is none. Nil if there is no such symbol.
    private func symbolValue(_ index: Int, in symbols: UnsafeRawBufferPointer) -> UInt64? {
        if index == 0 { return 0 }
        // index < 2^32: the products don't overflow.
        return is64Bit
            ? symbols.integer(UInt64.self, at: index * 24 + 8, bigEndian: isBigEndian)
            : symbols.integer(UInt32.self, at: index * 16 + 4, bigEndian: isBigEndian).map(UInt64.init)
    }
}

/// The bytes that a relocation changes.
private struct Place {
    let bytes: UnsafeMutableRawBufferPointer
    let bigEndian: Bool

    /// Nil if they aren't inside `target`.
    init?(_ offset: UInt64, width: Int, of target: UnsafeMutableRawBufferPointer, bigEndian: Bool) {
        guard width <= target.count, offset <= UInt64(target.count - width) else { return nil }
        bytes = UnsafeMutableRawBufferPointer(rebasing: target[Int(offset)..<Int(offset) + width])
        self.bigEndian = bigEndian
    }

    /// What is there before, sign-extended.
    var addend: UInt64 {
        let bytes = UnsafeRawBufferPointer(bytes)
        let value =
            bytes.count == 8
            ? bytes.integer(Int64.self, at: 0, bigEndian: bigEndian)
            : bytes.integer(Int32.self, at: 0, bigEndian: bigEndian).map(Int64.init)
        return UInt64(bitPattern: value ?? 0)
    }

    /// False if the value fits neither as a signed nor as an unsigned number.
    func store(_ value: UInt64) -> Bool {
        switch bytes.count {
        case 8:
            bytes.storeBytes(of: bigEndian ? value.bigEndian : value.littleEndian, as: UInt64.self)
        case 4:
            guard (-1 << 31..<1 << 32).contains(Int64(bitPattern: value)) else { return false }
            let word = UInt32(truncatingIfNeeded: value)
            bytes.storeBytes(of: bigEndian ? word.bigEndian : word.littleEndian, as: UInt32.self)
        default: break
        }
        return true
    }
}

extension Section {
    /// `SHT_RELA`
    fileprivate var isRelocationTableWithAddends: Bool { type == 4 }
    /// `SHT_RELA` or `SHT_REL`
    fileprivate var isRelocationTable: Bool { isRelocationTableWithAddends || type == 9 }
}
