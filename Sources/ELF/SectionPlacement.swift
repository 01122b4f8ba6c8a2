/// Distinct addresses for the code sections of a relocatable file, which all start at 0 there.
///
/// In call frame information relocated with them, an FDE's address identifies the section, and code of different
/// sections doesn't overlap.
package struct SectionPlacement: Sendable {
    /// The address range of each code section, in ascending order. Only sections whose bytes are in the file have one.
    package private(set) var ranges: [Range<UInt64>] = []
    private var addresses: [Int: UInt64] = [:]

    /// One page, so that nothing is at address 0.
    private static let start: UInt64 = 0x1000
    private static let alignment: UInt64 = 64

    /// - Parameter size: of the file, in bytes.
    init(_ sections: [Section], size: UInt64) {
        var next = Self.start
        // Real sections don't overlap in the file, so they add up to at most its size.
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

    /// The start address of the section with this index; nil if it has none.
    func address(ofSection index: Int) -> UInt64? { addresses[index] }
}

extension ELFImage {
    /// Assigns addresses to a relocatable file's code.
    ///
    /// Throws ``ELFError`` if the section headers are broken.
    package func sectionPlacement() throws(ELFError) -> SectionPlacement {
        SectionPlacement(try sections(), size: size)
    }
}
