@testable import KernelUnwinder
import Testing

/// Mappings as the programs are told of them.
@Suite struct ProcessImagesTests {
    private func mapping(_ range: Range<UInt64>, bias: UInt64 = 0) -> ProcessImages.Mapping {
        ProcessImages.Mapping(start: range.lowerBound, end: range.upperBound, bias: bias, image: nil, name: "")
    }

    private func range(_ addresses: Range<UInt64>, _ place: UInt32) -> PlacedTable.Range {
        PlacedTable.Range(addresses: addresses, place: place)
    }

    private func placed(_ range: Range<UInt64>, _ place: UInt32, bias: UInt64 = 0) -> PlacedMapping {
        PlacedMapping(start: range.lowerBound, end: range.upperBound, bias: place == 0 ? 0 : bias, range: place)
    }

    @Test func mappingWithoutATableIsOneOfNone() {
        #expect(mapping(0x1000..<0x9000, bias: 7).placed([]) == [placed(0x1000..<0x9000, 0)])
    }

    @Test func mappingWithinARangeIsOfIt() {
        let bias: UInt64 = 0x7f00_0000_0000
        let found = mapping(bias + 0x2_1000..<bias + 0x2_9000, bias: bias).placed([range(0x2_0000..<0x3_0000, 40)])
        #expect(found == [placed(bias + 0x2_1000..<bias + 0x2_9000, 40, bias: bias)])
    }

    @Test func severalRangesSplitAMapping() {
        let bias: UInt64 = 0x10_0000
        let ranges = [
            range(0..<0x1_0000, 8), range(0x3_0000..<0x5_0000, 16), range(0x6_0000..<0x7_0000, 24),
            range(0x20_0000..<0x21_0000, 32),
        ]
        #expect(mapping(bias + 0x8000..<bias + 0x8_0000, bias: bias).placed(ranges) == [
            placed(bias + 0x8000..<bias + 0x1_0000, 8, bias: bias),
            placed(bias + 0x1_0000..<bias + 0x3_0000, 0),
            placed(bias + 0x3_0000..<bias + 0x5_0000, 16, bias: bias),
            placed(bias + 0x5_0000..<bias + 0x6_0000, 0),
            placed(bias + 0x6_0000..<bias + 0x7_0000, 24, bias: bias),
            placed(bias + 0x7_0000..<bias + 0x8_0000, 0),
        ])
    }

    @Test func mappingBeyondAllRangesIsOfNone() {
        let ranges = [range(0x1_0000..<0x2_0000, 8)]
        #expect(mapping(0x2_0000..<0x3_0000).placed(ranges) == [placed(0x2_0000..<0x3_0000, 0)])
        #expect(mapping(0x8000..<0x1_0000).placed(ranges) == [placed(0x8000..<0x1_0000, 0)])
        #expect(mapping(0x8000..<0x1_0001).placed(ranges) == [
            placed(0x8000..<0x1_0000, 0), placed(0x1_0000..<0x1_0001, 8),
        ])
    }

    /// A program that is mapped below where it was linked to be.
    @Test func biasThatWrapsAround() {
        let bias = UInt64(0) &- 0x40_0000
        #expect(mapping(0x1000..<0x2000, bias: bias).placed([range(0x40_0000..<0x41_0000, 8)])
            == [placed(0x1000..<0x2000, 8, bias: bias)])
    }

    @Test func mappingIsFoundByAddress() throws {
        let images = ProcessImages(
            [
                ExecutableMapping(start: 0x1000, end: 0x2000, offset: 0, device: 0, inode: 0, path: "first"),
                ExecutableMapping(start: 0x2000, end: 0x3000, offset: 0, device: 0, inode: 0, path: "second"),
                ExecutableMapping(start: 0x5000, end: 0x6000, offset: 0, device: 0, inode: 0, path: "third"),
                ExecutableMapping(
                    start: 0xffff_ffff_ff60_0000, end: 0xffff_ffff_ff60_1000, offset: 0, device: 0, inode: 0, path: "[vsyscall]"),
            ], time: 0, image: { _ in nil })
        let expected: [(UInt64, String?)] = [
            (0, nil), (0xfff, nil), (0x1000, "first"), (0x1fff, "first"), (0x2000, "second"), (0x2fff, "second"),
            (0x3000, nil), (0x4fff, nil), (0x5000, "third"), (0x5fff, "third"), (0x6000, nil), (.max, nil),
            // Its calls are emulated.
            (0xffff_ffff_ff60_0000, nil),
        ]
        for (address, name) in expected {
            #expect(images.mapping(at: address)?.name == name, "\(String(address, radix: 16))")
        }
    }
}
