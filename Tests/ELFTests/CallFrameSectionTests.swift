import ELF
import Testing

struct CallFrameSectionTests {
    let frame: [UInt8] = Array(1...40)

    @Test(arguments: [1, 0x7000_0001, 0x7000_001e])
    func isFoundWhateverItsType(type: UInt32) throws {
        let image = try image(
            ELFBuilder(sections: [
                .init(name: ".text", flags: ELFBuilder.code, address: 0x1000, bytes: [0]),
                .init(name: ".got", flags: ELFBuilder.alloc, address: 0x3000, bytes: [0]),
                .init(name: ".got.plt", flags: ELFBuilder.alloc, address: 0x3100, bytes: [0]),
                .init(name: ".eh_frame", type: type, flags: ELFBuilder.alloc, address: 0x2000, bytes: frame),
            ]))
        let found = try #require(try image.callFrameSection(.ehFrame))
        #expect(Array(found.bytes) == frame)
        #expect(found.address == 0x2000 && found.textAddress == 0x1000 && found.dataAddress == 0x3100)
        #expect(found.name == ".eh_frame" && found.kind == .ehFrame && !found.endsAtTerminator)
        #expect(try found.fileOffset == image.sections()[4].offset)
        #expect(try image.callFrameSection(.debugFrame) == nil)
    }

    @Test func noBitsIsNone() throws {
        let image = try image(ELFBuilder(sections: [.init(name: ".eh_frame", type: 8, statedSize: 100)]))
        #expect(try image.callFrameSections(.ehFrame).isEmpty)
    }

    @Test func severalSectionsComeInOrder() throws {
        let image = try image(
            ELFBuilder(
                type: 1,
                sections: [.init(name: ".eh_frame", bytes: [1, 2, 3]), .init(name: ".eh_frame", bytes: [4, 5])]))
        #expect(try image.callFrameSections(.ehFrame).map { Array($0.bytes) } == [[1, 2, 3], [4, 5]])
    }

    // MARK: Without section headers

    /// `.eh_frame` at 0x5020 in a segment loaded at 0x5000, and `header` in `PT_GNU_EH_FRAME` at 0x6000.
    private func stripped(header: [UInt8], bigEndian: Bool = false, is64Bit: Bool = true) -> ELFBuilder {
        ELFBuilder(
            is64Bit: is64Bit, bigEndian: bigEndian,
            segments: [
                .init(flags: 4, covering: ".load"),
                .init(type: 0x6474_e550, flags: 4, covering: ".hdr"),
            ],
            sections: [
                .init(name: ".load", address: 0x5000, bytes: Array(repeating: 0, count: 0x20) + frame),
                .init(name: ".hdr", address: 0x6000, bytes: header),
            ], hasSectionHeaders: false)
    }

    @Test(arguments: [true, false], [true, false])
    func ehFrameIsFoundThroughItsHeader(is64Bit: Bool, bigEndian: Bool) throws {
        // DW_EH_PE_pcrel | DW_EH_PE_sdata4, as linkers write it.
        let header: [UInt8] = [1, 0x1b, 0xff, 0xff] + encoded(Int32(0x5020 - 0x6004), bigEndian: bigEndian)
        let image = try image(stripped(header: header, bigEndian: bigEndian, is64Bit: is64Bit))
        let found = try #require(try image.callFrameSection(.ehFrame))
        #expect(Array(found.bytes) == frame && found.address == 0x5020 && found.endsAtTerminator)
        #expect(Array(image.headerBytes[..<4]) == [0x7f, 0x45, 0x4c, 0x46])
        #expect(try image.callFrameSection(.debugFrame) == nil)
    }

    @Test(
        arguments: [
            ([1, 0x00, 0xff, 0xff] + encoded(UInt64(0x5020))),
            ([1, 0x01, 0xff, 0xff, 0xa0, 0xa0, 0x01]),  // uleb128
            ([1, 0x02, 0xff, 0xff] + encoded(UInt16(0x5020))),
            ([1, 0x03, 0xff, 0xff] + encoded(UInt32(0x5020))),
            ([1, 0x04, 0xff, 0xff] + encoded(UInt64(0x5020))),
            ([1, 0x3a, 0xff, 0xff] + encoded(Int16(0x5020 - 0x6000))),
            ([1, 0x3b, 0xff, 0xff] + encoded(Int32(0x5020 - 0x6000))),
            ([1, 0x1c, 0xff, 0xff] + encoded(Int64(0x5020 - 0x6004))),
            ([1, 0x39, 0xff, 0xff, 0xa0, 0x60]),  // sleb128 of -0xfe0
        ] as [[UInt8]])
    func everyPointerEncodingIsRead(header: [UInt8]) throws {
        let found = try #require(try image(stripped(header: header)).callFrameSection(.ehFrame))
        #expect(found.address == 0x5020)
    }

    @Test(
        arguments: [
            [1], [1, 0x1b], [1, 0x1b, 0xff, 0xff], [1, 0x1b, 0xff, 0xff, 0, 0], [2, 0x1b, 0xff, 0xff, 0, 0, 0, 0],
            [1, 0xff, 0xff, 0xff, 0, 0, 0, 0], [1, 0x9b, 0xff, 0xff, 0, 0, 0, 0], [1, 0x1d, 0xff, 0xff, 0, 0, 0, 0],
            [1, 0x01, 0xff, 0xff, 0x80, 0x80, 0x80, 0x80, 0x80], [1, 0x03, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ] as [[UInt8]])
    func brokenHeaderIsAnErrorOfTheHeader(header: [UInt8]) throws {
        let error = try #require(elfError { try image(stripped(header: header)).callFrameSection(.ehFrame) })
        #expect(error.section == ".eh_frame_hdr")
    }

    @Test func brokenSectionHeadersGiveWayToSegments() throws {
        var builder = stripped(header: [1, 0x1b, 0xff, 0xff] + encoded(Int32(0x5020 - 0x6004)))
        builder.hasSectionHeaders = true
        var layout = builder.layout()
        layout.patch(UInt64(1 << 40), at: 40)  // e_shoff
        let image = try ELFImage(bytes: layout.bytes, name: "test")
        #expect(try #require(try image.callFrameSection(.ehFrame)).endsAtTerminator)
        #expect(try image.callFrameSection(.debugFrame) == nil)
        #expect(elfError { try image.sections() } != nil)
    }

    @Test func brokenSectionHeadersWithoutThatSegmentAreAnError() throws {
        var layout = ELFBuilder(segments: [.init(flags: 5)]).layout()
        layout.patch(UInt64(1 << 40), at: 40)  // e_shoff
        let image = try ELFImage(bytes: layout.bytes, name: "test")
        #expect(elfError { try image.callFrameSection(.ehFrame) }?.isMalformed == true)
        #expect(elfError { try image.callFrameSection(.debugFrame) }?.isMalformed == true)
    }

    @Test func debugFileKeepsTheSegmentButHasNoEHFrame() throws {
        var builder = stripped(header: [1, 0x1b, 0xff, 0xff] + encoded(Int32(0x5020 - 0x6004)))
        builder.hasSectionHeaders = true
        builder.sections.append(.init(name: ".eh_frame", type: 8, flags: 2, address: 0x5020, statedSize: 40))
        #expect(try image(builder).callFrameSection(.ehFrame) == nil)
    }
}
