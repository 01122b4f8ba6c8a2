import Files

/// What a relocation type computes, S + A or S + A − P in the psABIs' letters, and how the result changes the place,
/// the bytes that the relocation applies to.
struct RelocationRule {
    enum Effect { case replaces, isAdded, isSubtracted }

    /// Width of the field at the place, in bits; 0 for a relocation without effect. A field of six bits leaves the
    /// upper two bits of its byte unchanged.
    let bits: Int
    var isPlaceRelative = false
    var effect = Effect.replaces

    /// Bytes that the field occupies.
    var width: Int { (bits + 7) / 8 }

    static let nothing = RelocationRule(bits: 0)
    static func absolute(_ width: Int) -> RelocationRule { RelocationRule(bits: 8 * width) }
    static func placeRelative(_ width: Int) -> RelocationRule { RelocationRule(bits: 8 * width, isPlaceRelative: true) }
    static func adding(_ width: Int) -> RelocationRule { RelocationRule(bits: 8 * width, effect: .isAdded) }
    static func subtracting(_ width: Int) -> RelocationRule { RelocationRule(bits: 8 * width, effect: .isSubtracted) }
    static let sixBits = RelocationRule(bits: 6)
    static let addingSixBits = RelocationRule(bits: 6, effect: .isAdded)
    static let subtractingSixBits = RelocationRule(bits: 6, effect: .isSubtracted)

    /// The rule of a relocation type that assemblers emit in call frame information; nil for other types.
    static func rule(type: UInt32, machine: Machine) -> RelocationRule? {
        switch machine {
        case .x86_64: .x86_64(type)
        case .i386: .i386(type)
        case .aarch64: .aarch64(type)
        case .arm: .arm(type)
        case .loongArch: .loongArch(type)
        case .mips: .mips(type)
        case .powerPC, .powerPC64: .powerPC(type)
        case .riscv: .riscv(type)
        case .s390: .s390(type)
        case .sparc, .sparc32Plus, .sparcV9: .sparc(type)
        default: nil
        }
    }
}

/// `Elf32_Rel`, `Elf32_Rela`, `Elf64_Rel` or `Elf64_Rela` (gABI, "Relocation").
private struct Relocation {
    let place: UInt64
    let symbol: Int
    let type: UInt32
    /// nil if the addend is stored at the place (`SHT_REL`).
    let addend: UInt64?

    /// Nil if the entry is cut off.
    init?(_ bytes: UnsafeRawBufferPointer, at offset: Int, hasAddend: Bool, of image: ELFImage) {
        let (is64Bit, bigEndian) = (image.is64Bit, image.isBigEndian)
        if is64Bit {
            guard let place = bytes.integer(UInt64.self, at: offset, bigEndian: bigEndian),
                let info = bytes.integer(UInt64.self, at: offset + 8, bigEndian: bigEndian)
            else { return nil }
            self.place = place
            // On MIPS, both byte orders have the same order of fields: a symbol of 32 bits, a byte, and three types,
            // the last one first.
            let isMixed = image.machine == .mips && !bigEndian
            symbol = Int(isMixed ? info & 0xffff_ffff : info >> 32)
            let types = UInt32(truncatingIfNeeded: isMixed ? info >> 32 : info)
            type = isMixed ? types.byteSwapped : types
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
    /// The relocation sections, by the index of the section that they apply to (`sh_info`).
    func relocationSections(_ sections: [Section]) -> [Int: [Section]] {
        Dictionary(grouping: sections.filter(\.isRelocationTable)) { Int($0.info) }
    }

    /// The bytes of a section of a relocatable file, relocated. Each section is at the address that `placement` gives
    /// it, else at the one in its header, which is 0. Without relocations, the section's own bytes.
    func relocatedBytes(
        of section: Section, by tables: [Section], sections: [Section], placement: SectionPlacement?
    ) throws(ELFError) -> UnsafeRawBufferPointer {
        if placement == nil, let copy = relocated[section.index] { return UnsafeRawBufferPointer(copy.bytes) }
        let original = try bytes(of: section)
        guard !tables.isEmpty else { return original }
        let copy = OwnedMemory(copying: original)
        for table in tables {
            guard sections.indices.contains(Int(table.link)), sections[Int(table.link)].isSymbolTable else {
                throw malformed("there is no symbol table in section \(table.link)", section: table.name)
            }
            let symbols = try SymbolValues(sections[Int(table.link)], of: self, sections, placement)
            try apply(table, to: copy.bytes, of: section, symbols: symbols)
        }
        if placement == nil { relocated[section.index] = copy } else { placed.append(copy) }
        return UnsafeRawBufferPointer(copy.bytes)
    }

    private func apply(
        _ table: Section, to target: UnsafeMutableRawBufferPointer, of section: Section, symbols: SymbolValues
    ) throws(ELFError) {
        let relocations = try bytes(of: table)
        let hasAddend = table.isRelocationTableWithAddends
        let entrySize = (is64Bit ? 8 : 4) * (hasAddend ? 3 : 2)
        var offset = 0
        while offset < relocations.count {
            func problem(_ kind: ELFError.Kind) -> ELFError {
                ELFError(file: name, section: table.name, offset: UInt64(offset), kind: kind)
            }
            guard let relocation = Relocation(relocations, at: offset, hasAddend: hasAddend, of: self) else {
                throw problem(.malformed("a relocation is cut off"))
            }
            guard let rule = RelocationRule.rule(type: relocation.type, machine: machine) else {
                throw problem(
                    .unsupported("relocation type \(relocation.type) of \(machine.name) in \(section.name)"))
            }
            guard let symbol = symbols.value(of: relocation.symbol) else {
                throw problem(.malformed("there is no symbol \(relocation.symbol)"))
            }
            guard let place = Place(relocation.place, width: rule.width, of: target, bigEndian: isBigEndian) else {
                throw problem(
                    .malformed("relocates \(section.name)+\(relocation.place.hex), which is outside the section"))
            }
            var value = symbol &+ (relocation.addend ?? place.addend)
            if rule.isPlaceRelative { value = value &- (section.address &+ relocation.place) }
            if !is64Bit { value &= 0xffff_ffff }
            guard place.apply(value, rule) else {
                throw problem(.malformed("\(value.hex) doesn't fit \(section.name)+\(relocation.place.hex)"))
            }
            offset += entrySize
        }
    }
}

/// The values that relocations take from a symbol table.
private struct SymbolValues {
    private let bytes: UnsafeRawBufferPointer
    /// Section indices that don't fit 16 bits, four bytes for each symbol (`SHT_SYMTAB_SHNDX`); empty without a
    /// placement.
    private let wideIndices: UnsafeRawBufferPointer
    private let image: ELFImage
    private let placement: SectionPlacement?

    init(
        _ table: Section, of image: ELFImage, _ sections: [Section], _ placement: SectionPlacement?
    ) throws(ELFError) {
        self.image = image
        self.placement = placement
        bytes = try image.bytes(of: table)
        let wide = placement == nil ? nil : sections.first { $0.isSymbolSectionIndices && Int($0.link) == table.index }
        if let wide { wideIndices = try image.bytes(of: wide) } else { wideIndices = .init(start: nil, count: 0) }
    }

    /// `st_value`, plus the address that the placement gives to the symbol's section; 0 for the undefined symbol 0. Nil
    /// if there is no such symbol.
    func value(of index: Int) -> UInt64? {
        if index == 0 { return 0 }
        // index < 2^32: the products don't overflow.
        let value =
            image.is64Bit
            ? bytes.integer(UInt64.self, at: index * 24 + 8, bigEndian: image.isBigEndian)
            : bytes.integer(UInt32.self, at: index * 16 + 4, bigEndian: image.isBigEndian).map(UInt64.init)
        guard let value, let placement, let section = section(of: index) else { return value }
        return value &+ (placement.address(ofSection: section) ?? 0)
    }

    /// `st_shndx`; nil if there is none. Values from `SHN_LORESERVE` on are not sections and have no address.
    private func section(of index: Int) -> Int? {
        let offset = image.is64Bit ? index * 24 + 6 : index * 16 + 14
        guard let section = bytes.integer(UInt16.self, at: offset, bigEndian: image.isBigEndian) else { return nil }
        // SHN_XINDEX
        guard section == 0xffff else { return section < 0xff00 ? Int(section) : nil }
        return wideIndices.integer(UInt32.self, at: index * 4, bigEndian: image.isBigEndian).map(Int.init)
    }
}

/// The bytes that a relocation applies to.
private struct Place {
    let bytes: UnsafeMutableRawBufferPointer
    let bigEndian: Bool

    /// Nil if they don't lie inside `target`.
    init?(_ offset: UInt64, width: Int, of target: UnsafeMutableRawBufferPointer, bigEndian: Bool) {
        guard width <= target.count, offset <= UInt64(target.count - width) else { return nil }
        bytes = UnsafeMutableRawBufferPointer(rebasing: target[Int(offset)..<Int(offset) + width])
        self.bigEndian = bigEndian
    }

    /// The value already there, sign-extended.
    var addend: UInt64 {
        let bytes = UnsafeRawBufferPointer(bytes)
        let value: Int64? =
            switch bytes.count {
            case 8: bytes.integer(Int64.self, at: 0, bigEndian: bigEndian)
            case 4: bytes.integer(Int32.self, at: 0, bigEndian: bigEndian).map(Int64.init)
            case 2: bytes.integer(Int16.self, at: 0, bigEndian: bigEndian).map(Int64.init)
            case 1: bytes.integer(Int8.self, at: 0, bigEndian: bigEndian).map(Int64.init)
            default: 0
            }
        return UInt64(bitPattern: value ?? 0)
    }

    /// False if the value should replace the old one and fits neither as a signed nor as an unsigned number. Additions
    /// and subtractions aren't checked: only a whole difference has to fit, not its parts.
    func apply(_ value: UInt64, _ rule: RelocationRule) -> Bool {
        guard rule.bits > 0 else { return true }
        let mask = UInt64.max >> UInt64(64 - rule.bits)
        switch rule.effect {
        case .replaces:
            // A six-bit field holds the first part of a difference.
            let isSigned = Int64(bitPattern: value) < 0
            guard rule.bits == 6 || value & ~mask == 0 || isSigned && ~value & ~(mask >> 1) == 0 else { return false }
            store(value, mask)
        case .isAdded: store(addend &+ value, mask)
        case .isSubtracted: store(addend &- value, mask)
        }
        return true
    }

    /// Stores the bits of `mask` and keeps the others.
    private func store(_ value: UInt64, _ mask: UInt64) {
        let word = addend & ~mask | value & mask
        for index in bytes.indices {
            let shift = UInt64(8 * (bigEndian ? bytes.count - 1 - index : index))
            bytes[index] = UInt8(truncatingIfNeeded: word >> shift)
        }
    }
}

extension Section {
    /// `SHT_RELA`
    fileprivate var isRelocationTableWithAddends: Bool { type == 4 }
    /// `SHT_SYMTAB_SHNDX`
    fileprivate var isSymbolSectionIndices: Bool { type == 18 }
    /// `SHT_RELA` or `SHT_REL`
    fileprivate var isRelocationTable: Bool { isRelocationTableWithAddends || type == 9 }
}
