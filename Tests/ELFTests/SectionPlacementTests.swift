import ELF
import Testing

/// The addresses that the code sections of relocatable files get.
struct SectionPlacementTests {
    private func code(_ name: String, _ count: Int, type: UInt32 = 1) -> ELFBuilder.Section {
        .init(name: name, type: type, flags: ELFBuilder.code, bytes: Array(repeating: 0x90, count: count))
    }

    @Test func eachSectionOfCodeHasAPlaceOfItsOwn() throws {
        let builder = ELFBuilder(
            type: 1,
            sections: [
                code(".text", 16), .init(name: ".data", flags: ELFBuilder.alloc, bytes: [1]), code(".text.empty", 0),
                code(".text.nobits", 64, type: 8), code(".text.b", 100),
            ])
        let ranges = try image(builder).sectionPlacement().ranges
        #expect(ranges.map(\.count) == [16, 100])
        #expect(ranges[0].lowerBound > 0 && ranges[0].upperBound <= ranges[1].lowerBound)
    }

    @Test func whatIsNotInTheFileHasNoPlace() throws {
        var section = code(".text", 16)
        section.statedSize = 1 << 40
        #expect(try image(ELFBuilder(type: 1, sections: [section])).sectionPlacement().ranges.isEmpty)
    }

    /// A hundred section headers that claim the same kilobyte count only as much as the file.
    @Test func sectionsDoNotAddUpToMoreThanTheFile() throws {
        var sections = [code(".text", 1024)]
        for number in 0..<100 {
            var section = code(".text.\(number)", 0)
            (section.statedOffset, section.statedSize) = (64, 1024)
            sections.append(section)
        }
        let image = try image(ELFBuilder(type: 1, sections: sections))
        let total = try image.sectionPlacement().ranges.reduce(0) { $0 + UInt64($1.count) }
        #expect(total <= image.size && total >= 1024)
    }
}
