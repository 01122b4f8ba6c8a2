import ELF
import Testing

struct SectionTests {
    @Test func imageWithoutSectionHeadersHasNoSections() throws {
        let image = try image(ELFBuilder(segments: [.init(flags: 5)], hasSectionHeaders: false))
        #expect(try image.sections().isEmpty)
    }

    @Test func sectionPastTheEndIsMalformedWithNameAndOffset() throws {
        let image = try image(
            ELFBuilder(sections: [.init(name: ".eh_frame", bytes: [1, 2, 3], statedSize: 0x10_0000)]))
        let section = try image.sections()[1]
        let error = try #require(elfError { try image.bytes(of: section) })
        #expect(error.isMalformed && error.section == ".eh_frame")
        #expect(error.offset == image.size - section.offset)
        #expect(elfError { try image.callFrameSections(.ehFrame) } == error)
    }

    @Test(arguments: [UInt64.max, UInt64.max - 64, 1 << 63, 1 << 62])
    func hugeSizesAndOffsetsDontOverflow(huge: UInt64) throws {
        for section in [
            ELFBuilder.Section(name: ".x", bytes: [1], statedSize: huge),
            ELFBuilder.Section(name: ".x", bytes: [1], statedOffset: huge),
            ELFBuilder.Section(name: ".x", bytes: [1], statedSize: huge, statedOffset: 0 &- huge),
        ] {
            let image = try image(ELFBuilder(sections: [section]))
            #expect(elfError { try image.contents(of: ".x") }?.isMalformed == true)
        }
    }

    @Test func noBitsSectionIsEmptyHoweverLarge() throws {
        let image = try image(ELFBuilder(sections: [.init(name: ".bss", type: 8, statedSize: 1 << 60)]))
        #expect(try image.contents(of: ".bss") == [])
    }

    @Test func sectionCountMayBeInSectionZero() throws {
        var layout = ELFBuilder(sections: [.init(name: ".text", bytes: [1])]).layout()
        layout.patch(UInt16(0), at: 60)  // e_shnum
        layout.patch(UInt64(3), at: layout.sectionHeaders + 32)  // sh_size of section 0
        #expect(try ELFImage(bytes: layout.bytes, name: "test").sections().count == 3)
    }

    @Test(arguments: [4, 1 << 20, 1 << 32, 1 << 40, UInt64.max])
    func sectionCountInSectionZeroIsNotTrusted(count: UInt64) throws {
        var layout = ELFBuilder(sections: [.init(name: ".text", bytes: [1])]).layout()
        layout.patch(UInt16(0), at: 60)
        layout.patch(count, at: layout.sectionHeaders + 32)
        let error = elfError { try ELFImage(bytes: layout.bytes, name: "test").sections() }
        #expect(error?.isMalformed == true)
    }

    @Test(arguments: [0x10_0000, UInt64.max, UInt64.max - 63])
    func sectionHeadersPastTheEndAreMalformed(offset: UInt64) throws {
        var layout = ELFBuilder(sections: [.init(name: ".text", bytes: [1])]).layout()
        layout.patch(offset, at: 40)  // e_shoff
        let image = try ELFImage(bytes: layout.bytes, name: "test")
        #expect(elfError { try image.sections() }?.offset == offset)
        // The result is cached.
        #expect(elfError { try image.sections() }?.offset == offset)
    }

    @Test func sectionHeadersOfAnotherSizeAreMalformed() throws {
        var layout = ELFBuilder(sections: [.init(name: ".text", bytes: [1])]).layout()
        layout.patch(UInt16(40), at: 58)  // e_shentsize
        let image = try ELFImage(bytes: layout.bytes, name: "test")
        #expect(elfError { try image.sections() }?.isMalformed == true)
    }

    @Test func nameOutsideTheNamesIsMalformed() throws {
        var layout = ELFBuilder(sections: [.init(name: ".text", bytes: [1])]).layout()
        layout.patch(UInt32.max, at: layout.sectionHeaders + 64)  // sh_name of section 1
        let image = try ELFImage(bytes: layout.bytes, name: "test")
        #expect(elfError { try image.sections() }?.isMalformed == true)
    }

    @Test func namesThatShareManyBytesAreRefused() throws {
        let name = String(repeating: "n", count: 5000)
        let builder = ELFBuilder(sections: (0..<100).map { _ in .init(name: name) })
        var layout = builder.layout()
        #expect(try ELFImage(bytes: layout.bytes, name: "test").sections().count == 102)
        // All headers have the first name, and the name table ends after it.
        for index in 1...100 { layout.patch(UInt32(1), at: layout.sectionHeaders + index * 64) }
        layout.patch(UInt64(5002), at: layout.sectionHeaders + 101 * 64 + 32)
        layout.patch(UInt32(0), at: layout.sectionHeaders + 101 * 64)
        let image = try ELFImage(bytes: layout.bytes, name: "test")
        #expect(elfError { try image.sections() }?.isMalformed == true)
    }

    @Test func sectionsThatOverlapManyTimesAreRefused() throws {
        let size: UInt64 = 1 << 20
        var sections = [ELFBuilder.Section(name: ".a", bytes: Array(repeating: 0, count: Int(size)))]
        for index in 0..<50 {
            sections.append(.init(name: ".b\(index)", statedSize: size - UInt64(index), statedOffset: 64))
        }
        let image = try image(ELFBuilder(sections: sections))
        let error = elfError { for section in try image.sections() { _ = try image.bytes(of: section) } }
        #expect(error?.isMalformed == true)
    }

    @Test func sectionOfAnotherImageIsRefused() throws {
        let one = try image(ELFBuilder(sections: [.init(name: ".a", bytes: [1])]))
        let other = try image(ELFBuilder(sections: [.init(name: ".b", bytes: [1, 2])]))
        let section = try one.sections()[1]
        #expect(elfError { try other.bytes(of: section) }?.isMalformed == true)
    }
}
