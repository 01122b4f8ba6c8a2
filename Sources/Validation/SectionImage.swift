import UnwindTable

/// A 64-bit ELF image in memory with a single section (and the section names).
struct SectionImage {
    private(set) var bytes: [UInt8]

    /// - Parameter address: the section's SVMA.
    init(name: String, bytes content: [UInt8], address: UInt64, machine: TableMachine) {
        let names = [0] + Array(name.utf8) + [0] + Array(".shstrtab".utf8) + [0]
        let headerSize = 64, sectionHeaderSize = 64
        let namesOffset = headerSize + content.count
        let sectionsOffset = (namesOffset + names.count + 7) & ~7
        // gABI, "ELF Header": 64 bits, little-endian, ET_DYN.
        bytes = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
        append(3, 2)
        append(UInt64(machine.rawValue), 2)
        append(1, 4)
        append(0, 8)  // e_entry
        append(0, 8)  // e_phoff
        append(UInt64(sectionsOffset), 8)
        append(0, 4)
        for field in [headerSize, 56, 0, sectionHeaderSize, 3, 2] { append(UInt64(field), 2) }
        bytes += content + names
        bytes += [UInt8](repeating: 0, count: sectionsOffset - bytes.count)
        bytes += [UInt8](repeating: 0, count: sectionHeaderSize)
        // SHT_PROGBITS, SHT_STRTAB
        appendSection(name: 1, type: 1, flags: 2, address, offset: headerSize, size: content.count)
        appendSection(name: name.utf8.count + 2, type: 3, flags: 0, 0, offset: namesOffset, size: names.count)
    }

    private mutating func append(_ number: UInt64, _ size: Int) {
        for index in 0..<size { bytes.append(UInt8(truncatingIfNeeded: number >> UInt64(8 * index))) }
    }

    /// gABI, "Section Header".
    private mutating func appendSection(
        name: Int, type: UInt64, flags: UInt64, _ address: UInt64, offset: Int, size: Int
    ) {
        append(UInt64(name), 4)
        append(type, 4)
        append(flags, 8)
        append(address, 8)
        append(UInt64(offset), 8)
        append(UInt64(size), 8)
        append(0, 8)  // sh_link, sh_info
        append(1, 8)  // sh_addralign
        append(0, 8)  // sh_entsize
    }
}
