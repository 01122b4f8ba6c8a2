import ELF
import Testing

struct ExecutableRangeTests {
    private func segments(_ segments: [ELFBuilder.Segment], padding: Int = 0x1000) throws -> [Range<UInt64>] {
        try image(
            ELFBuilder(
                segments: segments, sections: [.init(name: ".pad", bytes: Array(repeating: 0, count: padding))])
        ).executableSegments
    }

    @Test func areSortedAndMergedWhereTheyTouch() throws {
        let ranges = try segments([
            .init(flags: 5, address: 0x3000, fileSize: 0x100),
            .init(flags: 5, address: 0x1000, fileSize: 0x800),
            .init(flags: 5, address: 0x1800, fileSize: 0x10),
            .init(flags: 5, address: 0x1400, fileSize: 0x10),
            .init(flags: 4, address: 0x9000, fileSize: 0x10),
            .init(type: 2, flags: 5, address: 0xa000, fileSize: 0x10),
        ])
        #expect(ranges == [0x1000..<0x1810, 0x3000..<0x3100])
    }

    @Test func endWhereTheFileEnds() throws {
        let builder = ELFBuilder(segments: [.init(flags: 5, offset: 0x40, address: 0x1000, fileSize: 1 << 50)])
        #expect(try image(builder).executableSegments == [0x1000..<0x1000 + UInt64(builder.bytes.count) - 0x40])
        #expect(try segments([.init(flags: 5, offset: 1 << 40, address: 0x1000, fileSize: 0x10)]) == [])
    }

    @Test func leaveOutWhatMemoryDoes() throws {
        #expect(
            try segments([.init(flags: 5, address: 0x1000, fileSize: 0x100, memorySize: 0x80)]) == [0x1000..<0x1080])
    }

    @Test func segmentNearTheEndOfTheAddressSpaceIsClipped() throws {
        let ranges = try segments([
            .init(flags: 5, address: UInt64.max - 0xff, fileSize: 0x1000),
            .init(flags: 5, address: UInt64.max, fileSize: 0x1000),
        ])
        #expect(ranges == [(UInt64.max - 0xff)..<UInt64.max])
    }

    @Test func segmentOf32BitsIsClippedAtFourGiB() throws {
        let image = try image(
            ELFBuilder(
                is64Bit: false, segments: [.init(flags: 5, address: 0xffff_fff0, fileSize: 0x40)]))
        #expect(image.executableSegments == [0xffff_fff0..<0x1_0000_0000])
    }

    @Test func sectionsSayWhereInASegmentTheCodeIs() throws {
        let text = Array(repeating: UInt8(0x90), count: 0x100)
        let image = try image(
            ELFBuilder(
                segments: [.init(flags: 5, offset: 0, address: 0x1000, fileSize: 0x180)],
                sections: [
                    .init(name: ".text", flags: ELFBuilder.code, address: 0x1040, bytes: text),
                    .init(name: ".rodata", flags: ELFBuilder.alloc, address: 0x1140, bytes: text),
                    .init(name: ".tail", flags: ELFBuilder.code, address: 0x1170, bytes: text),
                    .init(name: ".far", flags: ELFBuilder.code, address: 0x9000, bytes: text),
                    .init(name: ".nobits", type: 8, flags: ELFBuilder.code, address: 0x1000, statedSize: 0x20),
                ]))
        #expect(try image.executableRanges() == [0x1040..<0x1140, 0x1170..<0x1180])
    }

    @Test func withoutSectionHeadersTheSegmentsDo() throws {
        var builder = ELFBuilder(
            segments: [.init(flags: 5, address: 0x1000, fileSize: 0x40)], hasSectionHeaders: false)
        #expect(try image(builder).executableRanges() == [0x1000..<0x1040])
        builder.hasSectionHeaders = true
        var layout = builder.layout()
        layout.patch(UInt64(1 << 40), at: 40)  // e_shoff: broken
        #expect(try ELFImage(bytes: layout.bytes, name: "test").executableRanges() == [0x1000..<0x1040])
    }

    // MARK: Separate debug files

    private func isDebugFile(_ sections: [ELFBuilder.Section]) throws -> Bool {
        try image(ELFBuilder(sections: sections)).isSeparateDebugFile()
    }

    @Test func codeWithoutBitsMakesADebugFile() throws {
        let noBits = ELFBuilder.Section(name: ".text", type: 8, flags: ELFBuilder.code, statedSize: 0x1000)
        let text = ELFBuilder.Section(name: ".text", flags: ELFBuilder.code, bytes: [1])
        let debug = ELFBuilder.Section(name: ".debug_info", bytes: [1])
        #expect(try isDebugFile([noBits, debug]))
        #expect(try !isDebugFile([text, debug]))
        #expect(try !isDebugFile([text, noBits]))
    }

    @Test func imageWithoutCodeIsADebugFileOnlyIfItHasDebugSections() throws {
        let data = ELFBuilder.Section(name: ".rodata", flags: ELFBuilder.alloc, bytes: [1])
        let noBitsData = ELFBuilder.Section(name: ".rodata", type: 8, flags: ELFBuilder.alloc, statedSize: 8)
        let note = ELFBuilder.Section(name: ".note", type: 7, flags: ELFBuilder.alloc, bytes: buildIDNote([1, 2]))
        let debug = ELFBuilder.Section(name: ".debug_info", bytes: [1])
        #expect(try !isDebugFile([data, note]))
        #expect(try !isDebugFile([data, debug]))
        #expect(try !isDebugFile([note]))
        #expect(try isDebugFile([debug]))
        #expect(try isDebugFile([note, noBitsData]))
        #expect(try !image(ELFBuilder(segments: [.init(flags: 5)], hasSectionHeaders: false)).isSeparateDebugFile())
    }
}
