import ELF
import TestFixtures
import Testing
@testable import KernelUnwinder

/// The bias of an image of which a part is mapped.
@Suite struct MappedImageTests {
    /// The kernel maps whole memory pages, starting below a segment's start.
    @Test func segmentThatBeginsWithinAPageIsFoundByItsPage() throws {
        let fixture = try Fixture()
        let library = try fixture.library(
            ".text\n.globl f\nf: .fill 64, 1, 0x90\n", flags: ["-Wl,-z,noseparate-code"])
        let image = try ELFImage(path: library)
        let segment = try #require(image.segments.first { $0.isLoad && $0.isExecutable })
        try #require(segment.offset % 4096 != 0)
        let mapped = MappedImage(name: library, image: image)
        let first = segment.offset & ~0xfff
        let page: Range<UInt64> = 0x7f00_0000_0000..<0x7f00_0000_1000
        let bias = mapped.bias(of: page, at: first)
        #expect(bias == 0x7f00_0000_0000 &- (segment.virtualAddress - segment.offset + first))
        #expect(mapped.bias(of: page, at: first + 0x1000 * 64) == nil)
        #expect(first == 0 || mapped.bias(of: page, at: first - 0x1000) == nil)
    }
}
