import Testing
@testable import ELF

/// Finds the segment of a mapping, and thereby the image's bias.
@Suite struct SegmentMappingTests {
    private let start: UInt64 = 0x7f00_0000_0000

    private func bias(
        _ segments: [ELFBuilder.Segment], _ offset: UInt64, size: UInt64, pageSize: UInt64 = 0x1000
    ) throws -> UInt64? {
        var builder = ELFBuilder()
        builder.segments = segments
        let image = try ELFImage(bytes: builder.bytes, name: "made")
        return image.segments.bias(of: start..<start + size, at: offset, pageSize: pageSize)
    }

    private func segment(_ offset: UInt64, size: UInt64, at address: UInt64) -> ELFBuilder.Segment {
        ELFBuilder.Segment(flags: ELFBuilder.readExecute, offset: offset, address: address, fileSize: size)
    }

    /// Segments as linked without -z separate-code: in the file, the second starts in the memory page in which the
    /// first ends; in memory, a page later.
    private var neighbours: [ELFBuilder.Segment] {
        [segment(0x1000, size: 0x2800, at: 0x1000), segment(0x3800, size: 0x1900, at: 0x4800)]
    }

    @Test func ofTwoSegmentsThatShareAPageTheMappingIsOfTheOneThatItHasAllOf() throws {
        #expect(try bias(neighbours, 0x1000, size: 0x3000) == start - 0x1000)
        #expect(try bias(neighbours, 0x3000, size: 0x3000) == start - 0x4000)
        // In any order.
        #expect(try bias(neighbours.reversed(), 0x1000, size: 0x3000) == start - 0x1000)
        #expect(try bias(neighbours.reversed(), 0x3000, size: 0x3000) == start - 0x4000)
    }

    /// Part of a mapping, whose rest has different protection.
    @Test func partThatOnlyOneSegmentHasIsOfThat() throws {
        #expect(try bias(neighbours, 0x3000, size: 0x2000) == start - 0x4000)
        #expect(try bias(neighbours, 0x2000, size: 0x1000) == start - 0x2000)
    }

    /// It may be the end of the first segment or the start of the second.
    @Test func pageThatTwoSegmentsHaveIsOfNeither() throws {
        #expect(try bias(neighbours, 0x3000, size: 0x1000) == nil)
    }

    @Test func segmentsThatGoOnInMemoryAsInTheFileAreOneMapping() throws {
        let segments = [segment(0x1000, size: 0x2000, at: 0x5000), segment(0x3000, size: 0x1000, at: 0x7000)]
        #expect(try bias(segments, 0x1000, size: 0x3000) == start - 0x5000)
    }

    @Test func pagesAreThoseOfTheKernel() throws {
        let segments = [segment(0x11200, size: 0x100, at: 0x21200)]
        #expect(try bias(segments, 0x11000, size: 0x1000) == start - 0x21000)
        #expect(try bias(segments, 0x10000, size: 0x10000) == nil)
        #expect(try bias(segments, 0x10000, size: 0x10000, pageSize: 0x10000) == start - 0x20000)
    }

    @Test func elsewhereThereIsNoSegment() throws {
        #expect(try bias(neighbours, 0, size: 0x1000) == nil)
        #expect(try bias(neighbours, 0x6000, size: 0x1000) == nil)
        #expect(try bias([], 0, size: 0x1000) == nil)
        // Absurd numbers.
        #expect(try bias([segment(.max - 1, size: .max, at: 0)], .max - 0xfff, size: 0x1000) == nil)
        #expect(try bias(neighbours, .max - 0xff, size: 0x1000) == nil)
    }
}
