import ELF
import Glibc
import LinuxProcess
import TestFixtures
import Testing
@testable import KernelUnwinder

/// Mappings as the BPF programs get them.
@Suite struct ProcessImagesTests {
    private func mapping(_ range: Range<UInt64>, bias: UInt64 = 0) -> ProcessImages.Mapping {
        ProcessImages.Mapping(start: range.lowerBound, end: range.upperBound, bias: bias, image: nil, name: "")
    }

    private func range(_ addresses: Range<UInt64>, _ place: UInt32) -> PlacedRange {
        PlacedRange(addresses: addresses, pageCount: 1, place: place)
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
        #expect(
            mapping(bias + 0x8000..<bias + 0x8_0000, bias: bias).placed(ranges) == [
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
        #expect(
            mapping(0x8000..<0x1_0001).placed(ranges) == [
                placed(0x8000..<0x1_0000, 0), placed(0x1_0000..<0x1_0001, 8),
            ])
    }

    /// An executable that is mapped below the address for which it was linked.
    @Test func biasThatWrapsAround() {
        let bias = UInt64(0) &- 0x40_0000
        #expect(
            mapping(0x1000..<0x2000, bias: bias).placed([range(0x40_0000..<0x41_0000, 8)])
                == [placed(0x1000..<0x2000, 8, bias: bias)])
    }

    /// Addresses of ranges outside the mapping may wrap around to any value.
    @Test func rangesThatLieElsewhereAreNotOfAMapping() {
        let bias: UInt64 = 0x7f00_0000_0000
        let below = range(0x1000 &- bias..<0x2000 &- bias, 8)
        #expect(mapping(bias..<bias + 0x1000, bias: bias).placed([below]) == [placed(bias..<bias + 0x1000, 0)])
        let above = range(0..<0x5000, 8)
        #expect(mapping(0x1000..<0x2000, bias: 0x1_0000).placed([above]) == [placed(0x1000..<0x2000, 0)])
    }

    // MARK: Limits

    @Test func mappingsThatFitAreLeftAsTheyAre() {
        let mappings = [placed(0x1000..<0x2000, 0), placed(0x2000..<0x3000, 0)]
        #expect(PlacedMapping.fitting(mappings, limit: 2).kept == mappings)
    }

    @Test func neighboursWithoutATableBecomeOne() {
        let mappings = [
            placed(0x1000..<0x2000, 0), placed(0x2000..<0x3000, 0), placed(0x3000..<0x4000, 8),
            placed(0x4000..<0x5000, 0), placed(0x6000..<0x7000, 0),
        ]
        let found = PlacedMapping.fitting(mappings, limit: 4)
        #expect(found.leftOut == 0 && found.kept == [placed(0x1000..<0x3000, 0)] + mappings[2...])
    }

    @Test func thoseWithoutATableAndTheSmallestAreLeftOut() {
        let mappings = [
            placed(0x1000..<0x9000, 0), placed(0xa000..<0xb000, 8), placed(0xc000..<0xf000, 16),
            placed(0x10000..<0x12000, 0), placed(0x13000..<0x14000, 24),
        ]
        func kept(_ limit: Int) -> [UInt64] { PlacedMapping.fitting(mappings, limit: limit).kept.map(\.start) }
        #expect(kept(4) == [0x1000, 0xa000, 0xc000, 0x13000])
        #expect(kept(3) == [0xa000, 0xc000, 0x13000])
        #expect(kept(2) == [0xa000, 0xc000] && kept(1) == [0xc000])
        #expect(PlacedMapping.fitting(mappings, limit: 2).leftOut == 3)
    }

    // MARK: Sources

    private func executable(_ path: String, offset: UInt64 = 0, inode: UInt64 = 1) -> ExecutableMapping {
        ExecutableMapping(start: 0x1000, end: 0x2000, offset: offset, device: 1, inode: inode, path: path)
    }

    /// A new file may have the path, device and inode of a deleted one.
    @Test func otherImageOfTheSameNumbersIsNotTheSame() {
        let (one, other) = (MappedImage(name: "/a", image: nil), MappedImage(name: "/a", image: nil))
        func images(_ source: ExecutableMapping, _ image: MappedImage?) -> ProcessImages {
            ProcessImages([source], time: 0, image: { _ in image })
        }
        let first = images(executable("/a"), one)
        #expect(first.isSame(as: images(executable("/a"), one)))
        #expect(!first.isSame(as: images(executable("/a"), other)) && !first.isSame(as: images(executable("/a"), nil)))
        #expect(!first.isSame(as: images(executable("/a", offset: 0x1000), one)))
        #expect(!images(executable("/a"), nil).isSame(as: images(executable("/b"), nil)))
    }

    /// The same for single mappings, if their files are known.
    @Test func placeInAnotherFileOfTheSameNumbersIsAnotherOne() throws {
        let fixture = try Fixture()
        func mapping(in file: String?) throws -> ProcessImages.Mapping {
            let path = try fixture.library(".text\nnop\n", named: file ?? "any.so")
            let image = try ELFImage(path: path)
            let segment = try #require(image.segments.first { $0.isLoad && $0.isExecutable })
            let source = executable("/lib.so", offset: segment.offset & ~0xfff)
            return ProcessImages.Mapping(source, of: file == nil ? nil : MappedImage(name: "/lib.so", image: image))
        }
        let one = try mapping(in: "one.so"), other = try mapping(in: "other.so")
        try #require(one.image != nil && other.image != nil)
        #expect(one.isSame(as: one) && !one.isSame(as: other))
        #expect(try one.isSame(as: mapping(in: nil)))
    }

    /// What another mapping leaves of one begins further on in the file.
    @Test func partsOfAMappingHaveTheirOwnOffsets() {
        func mapping(_ start: UInt64, _ end: UInt64) -> ProcessImages.Mapping {
            ProcessImages.Mapping(start: start, end: end, bias: 0, offset: 0x5000, image: nil, name: "/a")
        }
        let images = ProcessImages([mapping(0x1000, 0x9000)]).replacing(with: mapping(0x3000, 0x4000), at: 0)
        #expect(images.mappings.map(\.start) == [0x1000, 0x3000, 0x4000])
        #expect(images.mappings.map(\.offset) == [0x5000, 0x5000, 0x8000])
    }

    @Test func placeOfEmulatedCallsIsNoMapping() {
        let images = ProcessImages([executable("[uprobes]"), executable("/a")], time: 0, image: { _ in nil })
        #expect(images.mappings.map(\.name) == ["/a"])
    }

    /// Events give no meaningful offset for it.
    @Test func vdsoBeginsWithItsFirstByte() throws {
        var vdso = try #require(try MemoryMap(of: getpid()).mappings.first { $0.path == "[vdso]" })
        let bytes = ProcessMemory(of: getpid()).bytes(at: vdso.start, count: Int(vdso.end - vdso.start))
        let image = MappedImage(name: vdso.path, image: try ELFImage(bytes: bytes, name: vdso.path))
        vdso.offset = vdso.start
        let mapping = ProcessImages.Mapping(vdso, of: image)
        #expect(mapping.image === image && mapping.offset == 0)
        #expect(image.bias(of: vdso.start..<vdso.end, at: 0) == mapping.bias)
    }

    // MARK: Records of tables

    /// Records in words: 10 each at 0, 10, 20; a gap; 10 each at 40, 50.
    @Test func runOfRecordsEndsWhereTheyDoNotFollowOrDoNotFit() {
        let starts: [UInt32] = [0, 10, 20, 40, 50]
        func end(_ first: Int, words: Int) -> Int {
            TablePlacement.endOfRun(from: first, starts, words: words) { _ in 10 }
        }
        #expect(end(0, words: 1000) == 3 && end(3, words: 1000) == 5)
        #expect(end(0, words: 20) == 2 && end(0, words: 29) == 2 && end(0, words: 30) == 3 && end(0, words: 10) == 1)
    }

    @Test func mappingIsFoundByAddress() throws {
        let images = ProcessImages(
            [
                ExecutableMapping(start: 0x1000, end: 0x2000, offset: 0, device: 0, inode: 0, path: "first"),
                ExecutableMapping(start: 0x2000, end: 0x3000, offset: 0, device: 0, inode: 0, path: "second"),
                ExecutableMapping(start: 0x5000, end: 0x6000, offset: 0, device: 0, inode: 0, path: "third"),
                ExecutableMapping(
                    start: 0xffff_ffff_ff60_0000, end: 0xffff_ffff_ff60_1000, offset: 0, device: 0, inode: 0,
                    path: "[vsyscall]"),
            ], time: 0, image: { _ in nil })
        let expected: [(UInt64, String?)] = [
            (0, nil), (0xfff, nil), (0x1000, "first"), (0x1fff, "first"), (0x2000, "second"), (0x2fff, "second"),
            (0x3000, nil), (0x4fff, nil), (0x5000, "third"), (0x5fff, "third"), (0x6000, nil), (.max, nil),
            (0xffff_ffff_ff5f_ffff, nil), (0xffff_ffff_ff60_0000, "[vsyscall]"), (0xffff_ffff_ff60_1000, nil),
        ]
        for (address, name) in expected {
            #expect(images.mapping(at: address)?.name == name, "\(String(address, radix: 16))")
        }
    }
}
