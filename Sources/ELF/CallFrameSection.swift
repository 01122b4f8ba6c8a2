/// The two kinds of section that contain call frame information.
public enum CallFrameSectionKind: Hashable, Sendable {
    /// `.eh_frame`: loaded with the program (LSB, "Exception Frames").
    case ehFrame
    /// `.debug_frame`: for debuggers, never loaded (DWARF 5, 6.4.1).
    case debugFrame

    /// The names of such a section. It is found by name because its type varies: `SHT_PROGBITS`, `SHT_X86_64_UNWIND`,
    /// `SHT_MIPS_DWARF` …
    var sectionNames: [String] {
        switch self {
        case .ehFrame: [".eh_frame"]
        case .debugFrame: [".debug_frame", ".zdebug_frame"]
        }
    }
}

/// A section of call frame information, with the addresses that pointers in it are relative to.
public struct CallFrameSection {
    /// Which of the two formats its entries have.
    public let kind: CallFrameSectionKind
    /// `.eh_frame`, `.debug_frame` or `.zdebug_frame`.
    public let name: String
    /// Unpacked, and relocated in relocatable files. Valid as long as this section or its image exists.
    public let bytes: UnsafeRawBufferPointer
    /// The SVMA of the first byte: the base of `DW_EH_PE_pcrel`. 0 in relocatable files and for `.debug_frame`.
    public let address: UInt64
    /// The SVMA of `.text`: the base of `DW_EH_PE_textrel`. 0 if there is none.
    public let textAddress: UInt64
    /// The SVMA of `.got.plt`, else of `.got`: the base of `DW_EH_PE_datarel`. 0 if there is none.
    public let dataAddress: UInt64
    /// Where the section starts in the file, in bytes. The bytes there may be compressed or not relocated.
    public let fileOffset: UInt64
    /// True if the section was found without section headers: `bytes` then extends to the end of the segment, and only
    /// a zero length marks the section's end.
    public let endsAtTerminator: Bool
    /// Owns `bytes`.
    let image: ELFImage
}

extension ELFImage {
    /// The first of ``callFrameSections(_:)``; only relocatable files have more than one.
    public func callFrameSection(_ kind: CallFrameSectionKind) throws(ELFError) -> CallFrameSection? {
        try callFrameSections(kind).first
    }

    /// The sections of call frame information, in the order of the section headers, without those that have no bytes
    /// (`SHT_NOBITS`, in debug files).
    ///
    /// If `.eh_frame` has no section header, because the headers are missing or broken, it is found through
    /// `PT_GNU_EH_FRAME`. `.debug_frame` can't be found without section headers.
    ///
    /// Throws ``ELFError`` if a section lies outside the image, or can't be unpacked or relocated, or if the section
    /// headers are broken and the program headers don't lead to `.eh_frame`.
    ///
    /// - Parameter kind: `.eh_frame` or `.debug_frame`.
    public func callFrameSections(_ kind: CallFrameSectionKind) throws(ELFError) -> [CallFrameSection] {
        try callFrameSections(kind, placement: nil)
    }

    /// The same, with the addresses assigned to a relocatable file's code; nil: all sections are at 0.
    package func callFrameSections(
        _ kind: CallFrameSectionKind, placement: SectionPlacement?
    ) throws(ELFError) -> [CallFrameSection] {
        let sections: [Section]
        do throws(ELFError) {
            sections = try self.sections()
        } catch {
            guard let found = try ehFrameFoundBySegments() else { throw error }
            return kind == .ehFrame ? [found] : []
        }
        let named = sections.filter { kind.sectionNames.contains($0.name) }
        if named.isEmpty, kind == .ehFrame, let found = try ehFrameFoundBySegments() { return [found] }

        let text = sections.first { $0.name == ".text" }?.address ?? 0
        let data = (sections.first { $0.name == ".got.plt" } ?? sections.first { $0.name == ".got" })?.address ?? 0
        let relocations = fileType == .relocatable ? relocationSections(sections) : [:]
        var result: [CallFrameSection] = []
        for section in named where !section.hasNoBits {
            let bytes = try relocatedBytes(
                of: section, by: relocations[section.index] ?? [], sections: sections, placement: placement)
            result.append(
                CallFrameSection(
                    kind: kind, name: section.name, bytes: bytes, address: section.address, textAddress: text,
                    dataAddress: data, fileOffset: section.offset, endsAtTerminator: false, image: self))
        }
        return result
    }
}
