/// An address of its own for each section of code in a relocatable file, where all of them begin at 0.
///
/// So an FDE that was relocated by it says which section's code it speaks of, and no two sections' code overlaps.
public struct SectionPlacement: Sendable {
    /// Where the code of each section is, by rising address. Only sections whose bytes are in the file have a place:
    /// what a header merely claims is no code.
    public private(set) var ranges: [Range<UInt64>] = []
    private var addresses: [Int: UInt64] = [:]

    /// A page, so that nothing is at address 0; and the alignment that compilers give to functions, at most.
    private static let start: UInt64 = 0x1000
    private static let alignment: UInt64 = 64

    /// - Parameter size: of the file, in bytes.
    init(_ sections: [Section], size: UInt64) {
        var next = Self.start
        // Sections don't overlap in the file, so that they add up to less than it.
        var left = size
        for section in sections where section.isExecutable && !section.hasNoBits && section.size > 0 {
            guard section.offset <= size, section.size <= min(size - section.offset, left), left < 1 << 60
            else { continue }
            left -= section.size
            addresses[section.index] = next
            ranges.append(next..<next + section.size)
            next = (next + section.size + Self.alignment - 1) / Self.alignment * Self.alignment
        }
    }

    /// Where the section of this index begins; nil if it has no place.
    func address(ofSection index: Int) -> UInt64? { addresses[index] }
}

extension ELFImage {
    /// A placement of a relocatable file's code.
    ///
    /// Throws ``ELFError`` if the section headers are broken.
    public func sectionPlacement() throws(ELFError) -> SectionPlacement {
        SectionPlacement(try sections(), size: size)
    }
}
