import TestFixtures
import Testing
@testable import TableBuilder
import UnwindTable

private typealias Row = CFIWriter.Row

/// The kinds of pages, and lookups in each kind.
@Suite struct PageTests {
    private let page: UInt64 = 0x1_0000

    private func table(_ rows: [CFIWriter.Row], pages: UInt64 = 1) throws -> BuiltTable {
        var writer = CFIWriter()
        writer.addFunction(page, length: pages * page, rows)
        let table = try BuiltTable(writer, executable: [page..<(pages + 1) * page])
        requireSameAsLinear(table, writer)
        return table
    }

    @Test func pageOfFewRowsIsSparse() throws {
        let table = try table([Row(1, 16), Row(0x100, 24), Row(0xffff, 32)])
        #expect(table.kinds == [.sparse])
        #expect(table.pages[0].rowCount == 4)
        #expect(table.pages[0].recordBytes == 4 + 3 * 4)
    }

    @Test func pageOf256RowsIsSparse() throws {
        let table = try table((1..<256).map { Row(200 * $0, Int32($0 % 7 + 2) * 8) })
        #expect(table.kinds == [.sparse])
    }

    @Test func pageOf257RowsIsDense() throws {
        let table = try table((1..<257).map { Row(200 * $0, Int32($0 % 7 + 2) * 8) })
        #expect(table.kinds == [.dense])
        #expect(table.pages[0].paletteCount == 0)
    }

    @Test func pageOfOneRuleHasNoRecord() throws {
        let table = try table([Row(0x8000, 16)], pages: 5)
        #expect(table.kinds == [.sparse] + Array(repeating: .uniform, count: 4))
        #expect(table.view.pages.count == 4 + 3 * 2 + 2)
    }

    @Test func pageOf286RulesIsQuarters() throws {
        let table = try table((0..<286).map { Row(100 * $0, Int32($0 + 2) * 8) })
        #expect(table.kinds == [.quarters])
    }

    @Test func pageOf256RulesHasAPalette() throws {
        // Rules 1 to 300 are used more often and get the low numbers, so the first page's rules have higher ones.
        let frequent = (0..<900).map { Row(self.page + 60 * $0, Int32($0 % 300 + 500) * 8) }
        let table = try table((0..<256).map { Row(100 * $0, Int32($0 + 2) * 8) } + frequent, pages: 2)
        #expect(table.kinds == [.sparse, .quarters])
        #expect(table.pages[0].paletteCount == 256)
    }

    @Test func densePageHasAPalette() throws {
        let frequent = (0..<1200).map { Row(self.page + 50 * $0, Int32($0 % 300 + 500) * 8) }
        let table = try table((0..<600).map { Row(100 * $0, Int32($0 % 200 + 2) * 8) } + frequent, pages: 2)
        #expect(table.kinds == [.dense, .quarters])
        #expect(table.pages[0].paletteCount == 200)
    }

    @Test func pageOf60000RowsIsQuarters() throws {
        let table = try table((1..<60_000).map { Row($0, Int32($0 % 5 + 2) * 8) })
        #expect(table.kinds == [.quarters])
        // The last quarter is shorter.
        #expect(table.pages[0].rowCount == 60_000)
    }

    @Test func pageWithARowInEveryUnitIsQuarters() throws {
        let table = try table((1..<65_536).map { Row($0, Int32($0 % 5 + 2) * 8) })
        #expect(table.pages[0].recordBytes == 16 + 4 * (132 + 3 * 16_384))
    }

    @Test func quartersStartWithTheRuleInForce() throws {
        // Only the first quarter has rows of its own.
        let table = try table((0..<286).map { Row(50 * $0, Int32($0 + 2) * 8) })
        #expect(table.pages[0].rowCount == 286 + 3)
        #expect(table.cfaOffset(at: page + 0xffff) == 2296)
    }

    @Test(arguments: [(255, TableView.PageKind.dense), (256, .quarters)])
    func blockFarBehindItsGroupMakesQuarters(_ rowsBefore: Int, _ kind: TableView.PageKind) throws {
        let before = (0..<UInt64(rowsBefore)).map { Row($0, Int32($0 % 5 + 2) * 8) }
        let table = try table(before + [Row(0x9000, 80), Row(0xa000, 88), Row(0xb000, 96)])
        #expect(table.kinds == [kind])
    }

    @Test func blockOf256RowsAtItsGroupsEndStaysDense() throws {
        let full = (0x700..<UInt64(0x800)).map { Row($0, Int32($0 % 5 + 2) * 8) }
        let table = try table(full + [Row(0x801, 80), Row(0x9000, 88)])
        #expect(table.kinds == [.dense])
    }

    @Test func fullFirstBlockIsFound() throws {
        let full = (0..<UInt64(0x800)).map { Row($0, Int32($0 % 5 + 2) * 8) }
        #expect(try table(full).kinds == [.quarters])
    }

    @Test func rowsOnEveryPageEdge() throws {
        let edges = (1..<UInt64(6)).flatMap { edge in
            [Row(edge * page - 1, 16), Row(edge * page, 24), Row(edge * page + 1, 32)]
        }
        let table = try table(edges, pages: 6)
        #expect(table.kinds == Array(repeating: .sparse, count: 6))
        #expect(table.counts.rows == 1 + 3 * 5 + 1)
    }

    @Test func emptyBlocksAnswerWithTheRowBefore() throws {
        let rows = (0..<300).map { Row($0 * 3, Int32($0 % 5 + 2) * 8) }
        let spread = rows.map { Row($0.at < 450 ? $0.at : $0.at + 0x4000, $0.cfa) }
        let table = try table(spread)
        #expect(table.kinds == [.dense])
        for address in stride(from: UInt64(0x300), to: 0x4000, by: 0x100) {
            #expect(table.cfaOffset(at: page + address) == spread.last { $0.at < 0x4000 }?.cfa)
        }
    }
}
