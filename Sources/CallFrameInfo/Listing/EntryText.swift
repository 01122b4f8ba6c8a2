extension ListingText {
    /// `Contents of the .eh_frame section:`
    mutating func append(headingOf name: String) {
        append("Contents of the " as StaticString)
        append(name)
        append(" section:\n\n" as StaticString)
    }

    mutating func append(terminator header: EntryHeader) {
        append(byte: UInt8(ascii: "\n"))
        append(hex: UInt64(header.offset), digits: 8)
        append(" ZERO terminator\n" as StaticString)
        endLine()
    }

    /// `00000018 0000000000000014 0000001c `: offset, length and CIE pointer, as in the file.
    mutating func append(_ header: EntryHeader, of section: FrameSection, addressSize: Int) {
        append(byte: UInt8(ascii: "\n"))
        append(hex: UInt64(header.offset), digits: 8)
        append(byte: UInt8(ascii: " "))
        append(hex: UInt64(header.end - header.offset - (header.is64BitDWARF ? 12 : 4)), digits: addressSize * 2)
        append(byte: UInt8(ascii: " "))
        append(hex: section.identifier(of: header), digits: header.is64BitDWARF ? 16 : 8)
        append(byte: UInt8(ascii: " "))
    }

    /// `FDE cie=00000000 pc=0000000000001000..0000000000001010`
    mutating func append(_ fde: FrameDescriptionEntry, cie: borrowing CommonInformationEntry) {
        append("FDE cie=" as StaticString)
        append(hex: UInt64(cie.offset), digits: 8)
        append(" pc=" as StaticString)
        append(hex: fde.start, digits: cie.addressSize * 2)
        append(".." as StaticString)
        append(hex: fde.start &+ fde.length, digits: cie.addressSize * 2)
        endLine()
    }

    /// The header line of an entry that can't be read.
    mutating func append(malformed header: EntryHeader, of section: FrameSection) {
        append(header, of: section, addressSize: section.addressSize)
        append(header.cieOffset == nil ? "CIE\n" as StaticString : "FDE\n")
    }

    mutating func append(_ problem: ListingProblem) {
        append("  error: " as StaticString)
        append(problem.description)
        endLine()
    }

    /// `  Augmentation data:     1b`
    mutating func append(augmentationData range: Range<Int>, of section: FrameSection) {
        append("  Augmentation data:    " as StaticString)
        for byte in section.bytes[range] {
            append(byte: UInt8(ascii: " "))
            append(hex: UInt64(byte), digits: 2)
            flushIfLarge()
        }
        endLine()
    }
}

extension FrameSection {
    /// The CIE id or CIE pointer, as in the file. The read succeeds, because reading the header checked the bytes.
    func identifier(of header: EntryHeader) -> UInt64 {
        let size = header.is64BitDWARF ? 8 : 4
        var cursor = cursor(header.body - size..<header.body)
        return (try? cursor.readUnsigned(size: size)) ?? 0
    }
}
