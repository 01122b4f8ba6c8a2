import CallFrameInfo
import Testing

/// Call-site tables of the LSDA: which calls may throw, and where they continue.
@Suite struct CallSiteTests {
    /// An FDE for 0x1000..<0x1100 whose LSDA is at 0x5000, and a table there.
    private func sites(_ table: [UInt8], pointer: UInt64 = 0x5000, encoding: UInt8 = 0x00) throws -> [CallSite] {
        var builder = FrameBuilder()
        let cie = builder.cie(augmentation: "zL", augmentationData: [encoding])
        let fde = builder.fde(cie: cie, augmentationData: builder.integer(pointer, size: 8))
        return try builder.withSection { section in
            try table.withUnsafeBytes { bytes in
                let tables = FrameSection(kind: .ehFrame, bytes: bytes, address: 0x5000, machine: 62)
                let entry = try section.commonInformationEntry(at: cie)
                let description = try section.frameDescriptionEntry(try section.entryHeader(at: fde), cie: entry)
                return try section.callSites(of: description, cie: entry, in: tables)
            }
        }
    }

    @Test func sitesWithLandingPadsInOrder() throws {
        // No base, no types, ULEB128: 0x20 + 5 → 0x80; 0x10 + 5 → none; 0x08 + 5 → 0x90
        let table: [UInt8] = [
            0xff, 0xff, 0x01, 14, 0x20, 5, 0x80, 0x01, 0, 0x10, 5, 0, 0, 0x08, 5, 0x90, 0x01, 0,
        ]
        #expect(
            try sites(table) == [
                CallSite(calls: 0x1008..<0x100d, landingPad: 0x1090),
                CallSite(calls: 0x1020..<0x1025, landingPad: 0x1080),
            ])
    }

    @Test func baseOfItsOwnAndTypes() throws {
        // Base as 4 bytes: 0x9000; types by ULEB128 offset 20; sites of 4 bytes each
        let table: [UInt8] = [
            0x03, 0x00, 0x90, 0, 0, 0x9b, 20, 0x03, 13, 0x20, 0, 0, 0, 5, 0, 0, 0, 0x30, 0, 0, 0, 0,
        ]
        #expect(try sites(table) == [CallSite(calls: 0x1020..<0x1025, landingPad: 0x9030)])
    }

    @Test func sitesOutsideOfTheFunctionAreLeftOut() throws {
        // At 0x100, behind the end; and at 0xfe, across it
        let table: [UInt8] = [0xff, 0xff, 0x01, 10, 0x80, 0x02, 5, 0x10, 0, 0xfe, 0x01, 5, 0x10, 0]
        #expect(try sites(table) == [])
    }

    @Test func elsewhereThereAreNone() throws {
        #expect(try sites([0xff, 0xff, 0x01, 0], pointer: 0x4fff) == [])
        #expect(try sites([0xff, 0xff, 0x01, 0], pointer: 0x5004) == [])
    }

    @Test func malformedTables() {
        // Longer than the section; ends within a site; an indirect pointer
        #expect(throws: CFIError.lengthOutOfBounds) { try sites([0xff, 0xff, 0x01, 9, 0x20, 5]) }
        #expect(throws: CFIError.truncated) { try sites([0xff, 0xff, 0x01, 2, 0x20, 5]) }
        #expect(throws: CFIError.indirectPointer) { try sites([0xff, 0xff, 0x01, 0], encoding: 0x80) }
    }
}
