import CallFrameInfo
import ELF
import Search

/// The code of an image that no FDE covers.
struct CodeGaps {
    /// SVMAs of such code, in ascending order, disjoint; without procedure linkage tables, and without padding in front of
    /// aligned functions.
    private(set) var ranges: [Range<UInt64>] = []
    /// The procedure linkage tables that no FDE covers, whole sections.
    private(set) var linkageTables: [Section] = []
    /// SVMAs that FDEs cover, in ascending order, disjoint: one range for each FDE.
    private(set) var covered: [Range<UInt64>] = []

    /// The number of bytes in `ranges`.
    var byteCount: UInt64 { ranges.reduce(0) { $0 + UInt64($1.count) } }

    /// Whether there is no more code than what compilers and linkers add to a program: `_init`, `_fini`, and functions of
    /// crtbegin.o. It can be analysed without looking at the rest of the program.
    var isStartUpCode: Bool { byteCount <= Self.startUpLimit }

    /// Whether analysing it takes less than about a second: some 5 MB of gaps and 100 MB of other code, which is searched for
    /// references, take a second.
    var areQuick: Bool {
        isStartUpCode
            || byteCount <= 2 << 20 && covered.reduce(0) { $0 + UInt64($1.count) } <= 32 << 20
    }

    /// In bytes. On x86-64, gcc's crtbegin.o has 180, and crti.o and crtn.o have 36.
    private static let startUpLimit: UInt64 = 256
    /// Linkers make at most four; further ones are code like any other.
    private static let linkageTableLimit = 16

    /// - Parameters:
    ///   - image: not relocatable.
    ///   - sections: its call frame information.
    /// - Throws: `ELFError` if section headers can't be read.
    init(of image: ELFImage, _ sections: [FrameSection]) throws(ELFError) {
        // Sections of a hostile file may overlap; then all of them together have any size.
        var allocated: UInt64 = 0
        for section in try image.sections() where section.isAllocated && !section.hasNoBits {
            let (sum, overflow) = allocated.addingReportingOverflow(section.size)
            allocated = overflow ? .max : sum
        }
        guard allocated <= 2 * image.size else { return }
        let executable = try image.executableRanges()
        var index = FrameIndex()
        // A section that is too large makes no table.
        do throws(CFIError) { try index.read(sections, clippedTo: image.executableSegments) } catch { return }
        covered.reserveCapacity(index.count)
        for position in 0..<index.count {
            let span = index.span(at: position)
            if span.start < span.limit { covered.append(span.start..<span.limit) }
        }
        var next = 0
        for range in executable {
            var end = range.lowerBound
            while next < covered.count, covered[next].lowerBound < range.upperBound {
                append(end..<max(end, covered[next].lowerBound), isBeforeFunction: true)
                end = max(end, covered[next].upperBound)
                if end >= range.upperBound { break }
                next += 1
            }
            if end < range.upperBound { append(end..<range.upperBound, isBeforeFunction: false) }
        }
        try takeLinkageTables(image)
    }

    private mutating func append(_ gap: Range<UInt64>, isBeforeFunction: Bool) {
        // Compilers align functions to 16 bytes.
        let isPadding = isBeforeFunction && gap.count < 16 && gap.upperBound % 16 == 0
        if !gap.isEmpty, !isPadding { ranges.append(gap) }
    }

    private mutating func takeLinkageTables(_ image: ELFImage) throws(ELFError) {
        guard !ranges.isEmpty else { return }
        for section in try image.sections().lazy.filter(Self.isLinkageTable).prefix(Self.linkageTableLimit) {
            let (end, overflow) = section.address.addingReportingOverflow(section.size)
            guard !overflow, section.size > 0,
                let place = ranges.lastIndex(atMost: section.address, by: \.lowerBound), end <= ranges[place].upperBound
            else { continue }
            let gap = ranges[place]
            ranges.replaceSubrange(
                place...place,
                with: [gap.lowerBound..<section.address, end..<gap.upperBound].filter { !$0.isEmpty })
            linkageTables.append(section)
        }
    }

    func contains(_ address: UInt64) -> Bool {
        guard let index = ranges.lastIndex(atMost: address, by: \.lowerBound) else { return false }
        return ranges[index].contains(address)
    }

    /// SVMAs in the gaps that the loader calls, and the entry point: in ascending order.
    func startUpFunctions(of image: ELFImage) throws(ELFError) -> [UInt64] {
        let functions = try image.loaderFunctions() + [image.entryAddress]
        return Set(functions.filter(contains)).sorted()
    }

    /// The bytes of the gaps, as far as sections have them, in ascending order.
    func code(of image: ELFImage) throws(ELFError) -> [(address: UInt64, bytes: UnsafeRawBufferPointer)] {
        var pieces: [(address: UInt64, bytes: UnsafeRawBufferPointer)] = []
        for section in try image.sections() where section.isExecutable && !section.hasNoBits && section.isAllocated {
            let (end, overflow) = section.address.addingReportingOverflow(section.size)
            guard !overflow else { continue }
            for gap in ranges where gap.overlaps(section.address..<end) {
                let part = gap.clamped(to: section.address..<end)
                let start = Int(part.lowerBound - section.address)
                let bytes = try image.bytes(of: section)
                pieces.append((part.lowerBound, UnsafeRawBufferPointer(rebasing: bytes[start..<start + part.count])))
            }
        }
        return pieces.sorted { $0.address < $1.address }
    }

    private static func isLinkageTable(_ section: Section) -> Bool {
        section.isExecutable && !section.hasNoBits && (section.name.hasPrefix(".plt") || section.name == ".iplt")
    }
}
