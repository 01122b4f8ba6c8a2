import CUnwindTable
import TestFixtures
import Testing
import UnwindTable

/// Where C readers find a table's sections.
@Suite struct SectionOffsetTests {
    /// The large one has elements in all sections that this version allows.
    @Test func sectionsAreWhereTheirSizesPutThem() throws {
        for table in [Specimen.large(), Specimen.small(), Specimen.aarch64()] {
            let memory = GuardedBytes(table.bytes)
            let view = try TableVerifier.verify(memory.bytes)
            var header = view.header.fields
            for number in 0..<CFIC_SECTION_COUNT.rawValue {
                let section = cfic_section_index(number)
                #expect(cfic_section_offset(&header, section) == UInt64(table.start(section)), "\(number)")
            }
        }
    }
}
