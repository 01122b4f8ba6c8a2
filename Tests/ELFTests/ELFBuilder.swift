/// A tiny ELF file: ELF header, program headers, the sections' bytes, section headers, in this order.
struct ELFBuilder {
    struct Section {
        var name: String
        var type: UInt32 = 1  // SHT_PROGBITS
        var flags: UInt64 = 0
        var address: UInt64 = 0
        var bytes: [UInt8] = []
        var link: UInt32 = 0
        var info: UInt32 = 0
        var alignment: UInt64 = 8
        /// The header's size, if it isn't the number of `bytes`.
        var statedSize: UInt64?
        /// The header's offset, if it isn't that of `bytes`.
        var statedOffset: UInt64?
    }

    struct Segment {
        var type: UInt32 = 1  // PT_LOAD
        var flags: UInt32 = 0
        /// The section whose bytes it covers.
        var covering: String?
        var offset: UInt64 = 0
        var address: UInt64 = 0
        var fileSize: UInt64 = 0
        var memorySize: UInt64?
        var alignment: UInt64 = 8
    }

    var is64Bit = true
    var bigEndian = false
    var type: UInt16 = 3  // ET_DYN
    var machine: UInt16 = 62  // EM_X86_64
    var segments: [Segment] = []
    /// Without section 0 and without the section names, which are always the last.
    var sections: [Section] = []
    var hasSectionHeaders = true

    // Flags of sections and segments.
    static let alloc: UInt64 = 2
    static let code: UInt64 = 6  // SHF_ALLOC, SHF_EXECINSTR
    static let compressed: UInt64 = 0x800
    static let readExecute: UInt32 = 5

    /// The offsets of the file's parts.
    struct Layout {
        var bytes: [UInt8] = []
        var sectionOffsets: [String: Int] = [:]
        var sectionHeaders = 0
        let bigEndian: Bool

        mutating func patch<T: FixedWidthInteger>(_ value: T, at offset: Int) {
            bytes.replaceSubrange(offset..<offset + MemoryLayout<T>.size, with: encoded(value, bigEndian: bigEndian))
        }
    }

    var bytes: [UInt8] { layout().bytes }

    func layout() -> Layout {
        var layout = Layout(bigEndian: bigEndian)
        let headerSize = is64Bit ? 64 : 52
        let programHeaderSize = is64Bit ? 56 : 32
        layout.bytes = Array(repeating: 0, count: headerSize + segments.count * programHeaderSize)

        var names: [UInt8] = [0]
        var all = [Section(name: "", type: 0, alignment: 0)] + sections
        var nameOffsets: [Int] = []
        all.append(Section(name: ".shstrtab", type: 3))
        for section in all {
            nameOffsets.append(section.name.isEmpty ? 0 : names.count)
            if !section.name.isEmpty { names += Array(section.name.utf8) + [0] }
        }
        all[all.count - 1].bytes = names
        for section in all.dropFirst() {
            layout.bytes += Array(repeating: 0, count: -layout.bytes.count & 7)
            layout.sectionOffsets[section.name] = layout.sectionOffsets[section.name] ?? layout.bytes.count
            if section.type != 8 { layout.bytes += section.bytes }
        }

        if hasSectionHeaders {
            layout.bytes += Array(repeating: 0, count: -layout.bytes.count & 7)
            layout.sectionHeaders = layout.bytes.count
            // Sections in order, each aligned to 8. Several may have the same name.
            var offset = headerSize + segments.count * programHeaderSize
            for (index, section) in all.enumerated() {
                if index > 0 { offset += -offset & 7 }
                layout.bytes += sectionHeader(section, name: nameOffsets[index], offset: index == 0 ? 0 : offset)
                if index > 0, section.type != 8 { offset += section.bytes.count }
            }
        }
        layout.bytes.replaceSubrange(0..<headerSize, with: header(layout, sectionCount: all.count))
        for (index, segment) in segments.enumerated() {
            let start = headerSize + index * programHeaderSize
            layout.bytes.replaceSubrange(start..<start + programHeaderSize, with: programHeader(segment, layout))
        }
        return layout
    }

    private func header(_ layout: Layout, sectionCount: Int) -> [UInt8] {
        var header = Encoder(is64Bit: is64Bit, bigEndian: bigEndian)
        header.bytes = [0x7f, 0x45, 0x4c, 0x46, is64Bit ? 2 : 1, bigEndian ? 2 : 1, 1] + Array(repeating: 0, count: 9)
        header.half(type)
        header.half(machine)
        header.word(1)
        header.address(0)  // e_entry
        header.address(segments.isEmpty ? 0 : UInt64(is64Bit ? 64 : 52))
        header.address(UInt64(layout.sectionHeaders))
        header.word(0)
        header.half(is64Bit ? 64 : 52)
        header.half(is64Bit ? 56 : 32)
        header.half(UInt16(segments.count))
        header.half(is64Bit ? 64 : 40)
        header.half(hasSectionHeaders ? UInt16(sectionCount) : 0)
        header.half(hasSectionHeaders ? UInt16(sectionCount - 1) : 0)
        return header.bytes
    }

    private func programHeader(_ segment: Segment, _ layout: Layout) -> [UInt8] {
        var segment = segment
        if let name = segment.covering, let section = sections.first(where: { $0.name == name }) {
            segment.offset = UInt64(layout.sectionOffsets[name] ?? 0)
            segment.address = section.address
            segment.fileSize = UInt64(section.bytes.count)
        }
        var header = Encoder(is64Bit: is64Bit, bigEndian: bigEndian)
        header.word(segment.type)
        if is64Bit { header.word(segment.flags) }
        header.address(segment.offset)
        header.address(segment.address)
        header.address(segment.address)
        header.address(segment.fileSize)
        header.address(segment.memorySize ?? segment.fileSize)
        if !is64Bit { header.word(segment.flags) }
        header.address(segment.alignment)
        return header.bytes
    }

    private func sectionHeader(_ section: Section, name: Int, offset: Int) -> [UInt8] {
        var header = Encoder(is64Bit: is64Bit, bigEndian: bigEndian)
        header.word(UInt32(name))
        header.word(section.type)
        header.address(section.flags)
        header.address(section.address)
        header.address(section.statedOffset ?? UInt64(offset))
        header.address(section.statedSize ?? UInt64(section.bytes.count))
        header.word(section.link)
        header.word(section.info)
        header.address(section.alignment)
        header.address(0)
        return header.bytes
    }
}

/// Appends numbers in an ELF file's encoding.
struct Encoder {
    var is64Bit = true
    var bigEndian = false
    var bytes: [UInt8] = []

    mutating func half(_ value: UInt16) { bytes += encoded(value, bigEndian: bigEndian) }
    mutating func word(_ value: UInt32) { bytes += encoded(value, bigEndian: bigEndian) }
    mutating func giant(_ value: UInt64) { bytes += encoded(value, bigEndian: bigEndian) }
    /// Appends a number of 4 or 8 bytes, depending on the class.
    mutating func address(_ value: UInt64) {
        if is64Bit { giant(value) } else { word(UInt32(truncatingIfNeeded: value)) }
    }
}

func encoded<T: FixedWidthInteger>(_ value: T, bigEndian: Bool = false) -> [UInt8] {
    withUnsafeBytes(of: bigEndian ? value.bigEndian : value.littleEndian) { Array($0) }
}

/// A note with the owner "GNU".
func gnuNote(type: UInt32, _ descriptor: [UInt8], bigEndian: Bool = false) -> [UInt8] {
    encoded(UInt32(4), bigEndian: bigEndian) + encoded(UInt32(descriptor.count), bigEndian: bigEndian)
        + encoded(type, bigEndian: bigEndian) + Array("GNU\0".utf8) + descriptor
        + Array(repeating: 0, count: -descriptor.count & 3)
}

func buildIDNote(_ id: [UInt8], bigEndian: Bool = false) -> [UInt8] {
    gnuNote(type: 3, id, bigEndian: bigEndian)
}

/// A zlib stream (RFC 1950) of one stored block (RFC 1951, 3.2.4).
func zlibStored(_ bytes: [UInt8]) -> [UInt8] {
    var a: UInt32 = 1
    var b: UInt32 = 0
    for byte in bytes {
        a = (a + UInt32(byte)) % 65521
        b = (b + a) % 65521
    }
    let count = UInt16(bytes.count)
    return [0x78, 0x01, 0x01] + encoded(count) + encoded(~count) + bytes + encoded(b << 16 | a, bigEndian: true)
}
