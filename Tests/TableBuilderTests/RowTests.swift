import CallFrameInfo
import TestFixtures
import Testing
@testable import TableBuilder
import UnwindTable

private typealias Row = CFIWriter.Row

/// How FDEs' rows become rows of pages: gaps, overlaps, segments, pc units.
@Suite struct RowTests {
    // MARK: Gaps

    /// Two functions; the second starts `gap` bytes after the end of the first.
    private func pair(gap: UInt64, second: UInt64) -> CFIWriter {
        var writer = CFIWriter()
        writer.addFunction(second - gap - 0x20, length: 0x20, [Row(1, 16)])
        writer.addFunction(second, length: 0x20, [Row(1, 24)])
        return writer
    }

    private func table(_ writer: CFIWriter, keepsGaps: Bool = false) throws -> BuiltTable {
        try BuiltTable(writer, executable: [0x1000..<0x9000], keepsGaps: keepsGaps)
    }

    @Test(arguments: [1, 7, 15] as [UInt64])
    func paddingBeforeAnAlignedFunctionIsAbsorbed(_ gap: UInt64) throws {
        let writer = pair(gap: gap, second: 0x2000)
        let table = try table(writer)
        requireSameAsLinear(table, writer)
        #expect(table.cfaOffset(at: 0x1fff) == 16)
        #expect(table.counts.absorbedBytes == gap)
    }

    @Test func gapOf16BytesIsKept() throws {
        let writer = pair(gap: 16, second: 0x2000)
        let table = try table(writer)
        requireSameAsLinear(table, writer)
        #expect(table.reason(at: 0x1fff) == "no-information")
        #expect(table.counts.absorbedBytes == 0)
    }

    @Test func holeOfGlibcsCloneIsKept() throws {
        // Ten bytes of code, after which the function's second FDE starts at an unaligned address.
        let writer = pair(gap: 10, second: 0x2006)
        let table = try table(writer)
        requireSameAsLinear(table, writer)
        #expect(table.reason(at: 0x1ffc) == "no-information")
        #expect(table.reason(at: 0x2005) == "no-information")
    }

    @Test func keepGapsKeepsPadding() throws {
        let table = try table(pair(gap: 7, second: 0x2000), keepsGaps: true)
        #expect(table.reason(at: 0x1ff9) == "no-information")
        #expect(table.reason(at: 0x1fff) == "no-information")
        #expect(table.cfaOffset(at: 0x1ff8) == 16)
        #expect(table.counts.absorbedBytes == 0)
        #expect(table.view.header.options.keepsGaps)
    }

    @Test func paddingOverAPagesEdgeIsAbsorbed() throws {
        var writer = CFIWriter()
        writer.addFunction(0xffe0, length: 0x1c, [Row(1, 16)])
        writer.addFunction(0x1_0000, length: 0x20, [Row(0, 16)])
        writer.addFunction(0x1_0100, length: 0x20, [])
        let table = try BuiltTable(writer, executable: [0x1000..<0x2_0000])
        requireSameAsLinear(table, writer)
    }

    @Test func functionsThatTouchHaveNoGap() throws {
        var writer = CFIWriter()
        writer.addFunction(0x2000, length: 0x11, [Row(1, 16)])
        writer.addFunction(0x2011, length: 0x11, [Row(1, 24)])
        requireSameAsLinear(try table(writer), writer)
    }

    // MARK: Overlaps

    @Test func firstOfOverlappingFDEsWins() throws {
        var writer = CFIWriter()
        writer.addFunction(0x2000, length: 0x100, [Row(0x10, 16), Row(0x80, 24)])
        writer.addFunction(0x2040, length: 0x20, [Row(0, 800)])
        let table = try table(writer)
        requireSameAsLinear(table, writer)
        #expect(table.counts.overlappingFDEs == 1)
    }

    @Test func partlyCoveredFDEResumes() throws {
        var writer = CFIWriter()
        writer.addFunction(0x2040, length: 0x20, [Row(0, 800)])
        writer.addFunction(0x2000, length: 0x100, [Row(0x10, 16), Row(0x50, 24), Row(0x80, 32)])
        let table = try table(writer)
        requireSameAsLinear(table, writer)
        #expect(table.cfaOffset(at: 0x203f) == 16)
        #expect(table.cfaOffset(at: 0x2040) == 800)
        // The row that holds here started where the other FDE has precedence.
        #expect(table.cfaOffset(at: 0x2060) == 24)
        #expect(table.counts.overlappingFDEs == 1)
    }

    @Test func equalFDEsAreOne() throws {
        var writer = CFIWriter()
        for cfa in [16, 24, 32] as [Int32] { writer.addFunction(0x2000, length: 0x40, [Row(1, cfa)]) }
        requireSameAsLinear(try table(writer), writer)
    }

    @Test(arguments: 1...20)
    func randomFDEsAreAsTheirLinearEvaluation(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed &* 0x9e37_79b9_7f4a_7c15)
        var writer = CFIWriter()
        for _ in 0..<60 {
            let length = UInt64.random(in: 1...3000, using: &random)
            var at: UInt64 = 0
            var rows: [CFIWriter.Row] = []
            while at < length, rows.count < 300 {
                rows.append(Row(at, Int32.random(in: 1...40, using: &random) * 8))
                at += UInt64.random(in: 1...40, using: &random)
            }
            writer.addFunction(UInt64.random(in: 0x1000..<0x1_8000, using: &random), length: length, rows)
        }
        let table = try BuiltTable(writer, executable: [0x1000..<0x3_0000])
        requireSameAsLinear(table, writer)
    }

    // MARK: Segments

    @Test func segmentsFarApartCostNothing() throws {
        var writer = CFIWriter()
        writer.addFunction(0x2000, length: 0x40, [Row(1, 16)])
        writer.addFunction(1 << 60, length: 0x40, [Row(1, 24)])
        let table = try BuiltTable(writer, executable: [0x1000..<0x9000, 1 << 60..<1 << 60 + 0x1000])
        requireSameAsLinear(table, writer)
        #expect(table.view.ranges.count == 2)
        #expect(table.view.directory.count == 2)
        #expect(table.bytes.count < 600)
    }

    @Test func hugeFDEIsClippedToTheSegments() throws {
        var writer = CFIWriter()
        let executable: [Range<UInt64>] = [0x1000..<0x9000, 1 << 50..<1 << 50 + 0x1_0000, 1 << 60..<1 << 60 + 0x2000]
        writer.addFunction(0x1000, length: 1 << 60, [Row(0x100, 16), Row(1 << 59, 24)])
        let table = try BuiltTable(writer, executable: executable)
        requireSameAsLinear(table, writer) { address in executable.contains { $0.contains(address) } }
        #expect(table.cfaOffset(at: 1 << 50) == 16)
        #expect(table.cfaOffset(at: 1 << 60) == 24)
        #expect(table.cfaOffset(at: 1 << 60 + 0xfff) == 24)
        #expect(table.reason(at: 1 << 60 + 0x1000) == "no-information")
        #expect(table.view.directory.count == 3)
    }

    @Test func functionAtTheEndOfTheAddressSpace() throws {
        var writer = CFIWriter()
        writer.addFunction(.max - 0xff, length: 0xf0, [Row(1, 16)])
        let table = try BuiltTable(writer, executable: [.max - 0xfff ..< .max])
        requireSameAsLinear(table, writer)
    }

    @Test func segmentsOnOnePageShareIt() throws {
        var writer = CFIWriter()
        writer.addFunction(0x2000, length: 0x1000, [Row(1, 16)])
        writer.addFunction(0x8000, length: 0x100, [Row(1, 24)])
        let table = try BuiltTable(writer, executable: [0x1000..<0x2800, 0x8000..<0x9000])
        #expect(table.view.ranges.count == 1)
        #expect(table.cfaOffset(at: 0x27ff) == 16)
        #expect(table.reason(at: 0x2800) == "no-information")
        #expect(table.cfaOffset(at: 0x8001) == 24)
        requireSameRows(table)
    }

    // MARK: aarch64

    @Test func unitsOfAArch64AreInstructions() throws {
        var writer = CFIWriter(.aarch64, codeAlignment: 4)
        writer.addFunction(0x4_0000, length: 0x8_0000, [Row(4, 16), Row(0x3_fffc, 32), Row(0x4_0000, 48)])
        let table = try BuiltTable(writer, executable: [0x4_0000..<0xc_0000])
        requireSameAsLinear(table, writer)
        #expect(table.view.directory.count == 2)
        #expect(table.text(at: 0x4_0004) == "CFA = sp+16, x29 = x29, ra = x30 (needs live registers)")
    }

    @Test func misalignedRowHasAReason() throws {
        var writer = CFIWriter(.aarch64)
        writer.addFDE(
            0x2000, length: 0x40,
            CFI.advance(8) + CFI.defineCFAOffset(16) + CFI.advance(2) + CFI.defineCFAOffset(32) + CFI.advance(6)
                + CFI.defineCFAOffset(48))
        let table = try BuiltTable(writer, executable: [0x1000..<0x3000])
        #expect(table.cfaOffset(at: 0x2000) == 0)
        // A row that starts within an instruction holds for all of it.
        #expect(table.reason(at: 0x2008) == "misaligned-address")
        #expect(table.reason(at: 0x203c) == "misaligned-address")
        #expect(table.reason(at: 0x2040) == "no-information")
        #expect(table.badFrames.map(\.error) == [.misalignedAddress])
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func rowInsideOfTheLastInstructionHoldsNowhere(_ distance: UInt64) throws {
        // As in all functions that Go compiles for aarch64 ("nextpc--"), the last row starts one byte before the end.
        var writer = CFIWriter(.aarch64)
        writer.addFDE(
            0x2000, length: 0x40,
            CFI.advance(8) + CFI.defineCFAOffset(16) + CFI.advance(0x38 - UInt64(distance)) + CFI.defineCFAOffset(32))
        writer.addFDE(0x2040, length: 0x40, CFI.advance(4) + CFI.defineCFAOffset(48))
        let table = try BuiltTable(writer, executable: [0x1000..<0x3000])
        requireSameAsLinear(table, writer)
        #expect(table.badFrames.isEmpty)
        // Four bytes before the end is the last instruction.
        #expect(table.cfaOffset(at: 0x203c) == (distance == 4 ? 32 : 16))
        #expect(table.cfaOffset(at: 0x2038) == 16)
        #expect(table.cfaOffset(at: 0x2040) == 0)
        #expect(table.cfaOffset(at: 0x2044) == 48)
    }

    @Test(arguments: [CFI.defineCFAOffset(16), CFI.advance(1) + CFI.defineCFAOffset(16), [0, 0, 0]])
    func functionInsideOfAnInstructionIsMisaligned(_ instructions: [UInt8]) throws {
        var writer = CFIWriter(.aarch64)
        writer.addFDE(0x2000, length: 2, [])
        writer.addFDE(0x2002, length: 2, instructions)
        let table = try BuiltTable(writer, executable: [0x1000..<0x3000])
        requireSameRows(table)
        #expect(table.reason(at: 0x2000) == "misaligned-address")
        #expect(table.reason(at: 0x2004) == "no-information")
        #expect(table.badFrames.map(\.error) == [.misalignedAddress])
    }

    @Test func gapsInsideOfInstructionsMakeNoRows() throws {
        // Each instruction of more than a page has two FDEs and a gap, which would make three rows per unit.
        var writer = CFIWriter(.aarch64)
        let executable: Range<UInt64> = 0x4_0000..<0xa_0000
        for start in stride(from: executable.lowerBound, to: 0x9_0000, by: 4) {
            writer.addFDE(start, length: 2, [])
            writer.addFDE(start + 3, length: 1, [])
        }
        let table = try BuiltTable(writer, executable: [executable])
        requireSameRows(table)
        for address: UInt64 in [0x4_0000, 0x4_0004, 0x8_fffc] {
            #expect(table.reason(at: address) == "misaligned-address")
        }
        #expect(table.reason(at: 0x9_0000) == "no-information")
    }

    @Test func signedReturnAddressIsFlagged() throws {
        var writer = CFIWriter(.aarch64, codeAlignment: 4)
        writer.addFDE(
            0x2000, length: 0x40,
            CFI.advance(1) + CFI.negateReturnAddressState + CFI.advance(1) + CFI.defineCFAOffset(16)
                + CFI.offset(register: 29, factored: 2) + CFI.offset(register: 30, factored: 1))
        let table = try BuiltTable(writer, executable: [0x1000..<0x3000])
        #expect(table.text(at: 0x2008) == "CFA = sp+16, x29 = *(CFA-16), ra = *(CFA-8) (ra signed)")
    }
}
