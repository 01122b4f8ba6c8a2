import TestFixtures
import Testing
import UnwindTable

/// What rules come from, as tables say it by address.
@Suite struct SourceTests {
    @Test func sourceIsFoundByAddress() throws {
        let table = Specimen.large()
        let memory = GuardedBytes(table.bytes)
        let view = try TableVerifier.verify(memory.bytes)
        #expect(view.source(at: 0) == .ehFrame)
        #expect(view.source(at: 0x1_000f) == .ehFrame)
        #expect(view.source(at: 0x1_0010) == .inferred)
        #expect(view.source(at: 0x1_003f) == .inferred)
        #expect(view.source(at: 0x1_0040) == .debugFrame)
        #expect(view.source(at: 0x1_0041) == .ehFrame)
        #expect(view.source(at: 0x100_0000_0fff) == .goFunctionTable)
        #expect(view.source(at: 0x100_0000_1000) == .ehFrame)
        #expect(
            view.sourceRanges.map(\.addresses) == [
                0x1_0010..<0x1_0040, 0x1_0040..<0x1_0041, 0x100_0000_0000..<0x100_0000_1000,
            ])
    }
}
