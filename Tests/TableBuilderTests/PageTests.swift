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

    /// Rows at these units, with rules in no order, so that hardly any two of them come together again.
    private func unordered(_ units: some Sequence<UInt64>, rules: Int32 = 60) -> [CFIWriter.Row] {
        var random = SeededGenerator(seed: 3)
        var last: Int32 = 0
        return units.map { unit in
            var rule = last
            while rule == last { rule = Int32.random(in: 2..<rules + 2, using: &random) }
            last = rule
            return Row(unit, rule * 8)
        }
    }

    // MARK: Kinds

    @Test func pageOfFewRowsIsSparse() throws {
        let table = try table([Row(1, 16), Row(0x100, 24), Row(0xffff, 32)])
        #expect(table.kinds == [.sparse])
        #expect(table.pages[0].rowCount == 4)
        #expect(table.pages[0].recordBytes == 4 + 3 * 4)
    }

    @Test func pageOfOneRuleHasNoRecord() throws {
        let table = try table([Row(0x8000, 16)], pages: 5)
        #expect(table.kinds == [.sparse] + Array(repeating: .uniform, count: 4))
        #expect(table.view.pages.count == 4 + 3 * 2 + 2)
    }

    /// 162 items take as many bytes with an index of 160 bytes and the number of items.
    @Test(arguments: [(162, .sparse), (163, .dense)] as [(UInt64, TableView.PageKind)])
    func smallerKindIsTaken(_ items: UInt64, _ kind: TableView.PageKind) throws {
        let table = try table(unordered((1..<items).map { 400 * $0 + $0 % 7 }))
        #expect(table.pages[0].itemCount == Int(items))
        #expect(table.kinds == [kind])
    }

    @Test func pageWithMoreThan255SymbolsIsQuarters() throws {
        let table = try table((0..<256).map { Row(250 * $0, Int32($0 + 2) * 8) })
        #expect(table.kinds == [.quarters])
    }

    @Test func pageOf255SymbolsHasAPalette() throws {
        // These rules are used more often and get the low numbers, so the first page's rules have higher ones.
        let frequent = (0..<900).map { Row(self.page + 60 * $0, Int32($0 % 300 + 500) * 8) }
        let table = try table((0..<255).map { Row(100 * $0, Int32($0 + 2) * 8) } + frequent, pages: 2)
        #expect(table.kinds == [.dense, .quarters])
        #expect(table.pages[0].paletteCount == 255)
    }

    @Test func symbolsBelowThePaletteNeedNoEntry() throws {
        // 300 rules are used eight times each, these 40 less, and these 19 more.
        let frequent = (0..<2400).map { Row(self.page + 25 * $0, Int32($0 % 300 + 500) * 8) }
        let rows = (0..<400).map { Row(150 * $0, $0 % 2 == 0 ? Int32(900 + $0 / 2 % 40) * 8 : Int32($0 % 19 + 2) * 8) }
        let table = try table(rows + frequent, pages: 2)
        #expect(table.kinds[0] == .dense)
        #expect(table.pages[0].paletteCount == 40)
    }

    @Test func pageOf60000RowsIsQuarters() throws {
        let table = try table(unordered(1..<60_000))
        #expect(table.kinds == [.quarters])
        // The last quarter is shorter.
        #expect(table.pages[0].rowCount == 60_000)
    }

    @Test func pageWithARowInEveryUnitIsQuarters() throws {
        let table = try table(unordered(1..<65_536))
        #expect(table.pages[0].recordBytes == 16 + 4 * (132 + 3 * 16_384))
    }

    @Test func quartersStartWithTheRuleInForce() throws {
        // Only the first quarter has rows of its own.
        let table = try table((0..<286).map { Row(50 * $0, Int32($0 + 2) * 8) })
        #expect(table.pages[0].rowCount == 286 + 3)
        #expect(table.cfaOffset(at: page + 0xffff) == 2296)
    }

    // MARK: Indexes

    @Test func indexEndsWithTheLastItemsGroup() throws {
        let table = try table(unordered((0..<400).map { 100 * $0 + $0 % 9 }))
        // The last row is in block 155, the tenth group of 16.
        #expect(table.pages[0].indexBytes == 100)
    }

    @Test(arguments: [(15, 100), (16, 160)])
    func blockOf16ItemsNeedsTheUsualIndex(_ crowded: UInt64, _ size: Int) throws {
        let others = (0..<UInt64(380)).map { 100 * $0 + 0x700 }.filter { $0 & ~0xff != 0x2000 }
        let table = try table(unordered(([0] + others + (0x2000..<0x2000 + crowded)).sorted()))
        #expect(table.kinds == [.dense])
        #expect(table.pages[0].indexBytes == size)
    }

    /// The first 7 of 8 blocks hold at most 127 items, and so does each block.
    @Test(arguments: [(18, 8), (19, 7), (37, 6), (74, 5), (147, 4)])
    func blocksGetSmallerWithTheDensityOfItems(_ perBlock: UInt64, _ bits: Int) throws {
        // As evenly spread as possible, so that the parts of blocks hold equally many.
        let units = (0..<UInt64(24)).flatMap { block in
            (0..<perBlock).map { block * 256 + $0 * 256 / perBlock }
        }
        let table = try table(unordered(units, rules: 200))
        #expect(table.kinds == [.dense])
        #expect(table.pages[0].indexBytes == 24 * 256 >> bits)
    }

    /// The numbers that an index of blocks of 256 units can just hold, and one more: of the first 7 blocks of a group, and of
    /// the last one.
    @Test(arguments: [(127, 8, 8), (128, 8, 7), (7, 127, 8), (7, 128, 7)])
    func fullestGroupFits(_ inSeven: UInt64, _ inLast: UInt64, _ bits: Int) throws {
        let seven = (0..<inSeven).map { $0 * 7 * 256 / inSeven },
            last = (0..<inLast).map { 7 * 256 + $0 * 256 / inLast }
        // More items than a sparse record can have.
        let others = (8..<24).flatMap { block in (0..<16).map { UInt64(block) * 256 + $0 * 16 } }
        let table = try table(unordered(seven + last + others, rules: 200))
        #expect(table.kinds == [.dense])
        #expect(table.pages[0].indexBytes == 24 * 256 >> bits)
    }

    @Test func rowsInEveryUnitOfAFewBlocksAreDense() throws {
        let table = try table(unordered(0x700..<0xa00, rules: 200))
        #expect(table.kinds == [.dense])
        #expect(table.pages[0].indexBytes == 0xa00 >> 4)
        #expect(table.pages[0].rowCount == 0x300 + 1)
    }

    @Test func emptyBlocksAnswerWithTheRowBefore() throws {
        let rows = unordered((0..<300).map { $0 * 3 })
        let spread = rows.map { Row($0.at < 450 ? $0.at : $0.at + 0x4000, $0.cfa) }
        let table = try table(spread)
        #expect(table.kinds == [.dense])
        for address in stride(from: UInt64(0x300), to: 0x4000, by: 0x100) {
            #expect(table.cfaOffset(at: page + address) == spread.last { $0.at < 0x4000 }?.cfa)
        }
        // Beyond the index, too.
        #expect(table.cfaOffset(at: page + 0xffff) == spread.last?.cfa)
    }

    @Test func rowsOnEveryPageEdge() throws {
        let edges = (1..<UInt64(6)).flatMap { edge in
            [Row(edge * page - 1, 16), Row(edge * page, 24), Row(edge * page + 1, 32)]
        }
        let table = try table(edges, pages: 6)
        #expect(table.kinds == Array(repeating: .sparse, count: 6))
        #expect(table.counts.rows == 1 + 3 * 5 + 1)
    }

    // MARK: Templates

    /// Functions of one shape, at all places in their blocks.
    private func functions(_ count: UInt64, apart: UInt64, _ shape: [CFIWriter.Row]) -> [CFIWriter.Row] {
        (0..<count).flatMap { number in shape.map { Row(number * apart + $0.at, $0.cfa) } }
    }

    @Test func repeatedRowsBecomeTemplates() throws {
        let shape = [Row(1, 16), Row(2, 24), Row(6, 64), Row(70, 24), Row(71, 16), Row(72, 8)]
        let table = try table(functions(600, apart: 85, shape))
        #expect(table.pages[0].rowCount == 1 + 6 * 600)
        // Those that an edge of a block cuts have more than one item.
        #expect(table.pages[0].itemCount < 2 * 600)
        #expect((1...256).contains(table.view.templates.count))
    }

    @Test func templateOfEightRowsReachesTheBlocksEnd() throws {
        let shape = (0..<8).map { Row($0 * 36 + ($0 == 7 ? 3 : 0), Int32($0 + 2) * 8) }
        let table = try table(functions(200, apart: 256, shape))
        #expect(table.pages[0].itemCount == 200)
        #expect(table.view.templates.count == 1)
    }

    /// A page with 200 rules and 120 templates of others has too many symbols, until some templates are written out.
    @Test func rareTemplatesAreWrittenOut() throws {
        func shape(_ number: UInt64) -> [CFIWriter.Row] {
            (0..<3).map { Row($0 * (7 + number / 40), Int32((number * 7 + $0 * 11) % 40 + 2) * 8) }
        }
        var rows: [CFIWriter.Row] = []
        for place in 0..<UInt64(480) { rows += shape(place % 120).map { Row(place * 128 + $0.at, $0.cfa) } }
        for place in 0..<UInt64(480) {
            rows += shape((place * 7) % 120).map { Row(page + place * 128 + $0.at, $0.cfa) }
        }
        for number in 0..<UInt64(120) { rows += shape(number).map { Row(2 * page + number * 128 + $0.at, $0.cfa) } }
        for number in 0..<UInt64(200) { rows.append(Row(2 * page + 0x8000 + number * 100, Int32(number + 100) * 8)) }
        let table = try table(rows, pages: 3)
        #expect(table.view.templates.count > 100)
        #expect(table.kinds == [.dense, .dense, .dense])
        #expect(table.pages[2].itemCount > 320)
    }

    @Test func templatesLieInSmallBlocks() throws {
        // A row in nearly every unit, half of them in one order again and again, at all places in blocks of 16.
        let shape = (0..<7).map { Row($0 * 2, Int32($0 % 5 + 2) * 8) }
        var rows: [CFIWriter.Row] = []
        var unit: UInt64 = 0
        var random = SeededGenerator(seed: 9)
        while unit < 0x1800 {
            rows += shape.map { Row(unit + $0.at, $0.cfa) }
            unit += 14
            let count = UInt64.random(in: 10...30, using: &random)
            for _ in 0..<count {
                rows.append(Row(unit, Int32.random(in: 10...180, using: &random) * 8))
                unit += 1
            }
        }
        let table = try table(rows)
        #expect(table.kinds == [.dense])
        #expect(table.pages[0].indexBytes >= 0x1800 >> 5)
        #expect(table.pages[0].itemCount < table.pages[0].rowCount)
    }

    @Test func templatesDoNotDependOnTheCuts() throws {
        var writer = CFIWriter()
        var random = SeededGenerator(seed: 11)
        let shapes = (0..<30).map { _ in
            (0..<5).map {
                Row($0 * 9 + UInt64.random(in: 0...8, using: &random), Int32.random(in: 2...30, using: &random) * 8)
            }
        }
        for number in 0..<UInt64(30_000) {
            writer.addFunction(page + number * 0x40, length: 0x40, shapes[Int(number * number % 30)])
        }
        let executable: [Range<UInt64>] = [page..<page + 30_000 * 0x40]
        let one = try BuiltTable(writer, executable: executable)
        #expect(one.view.templates.count > 30)
        for threads in 2...4 {
            #expect(try BuiltTable(writer, executable: executable, threads: threads).bytes == one.bytes)
        }
    }
}

extension TableView.Page {
    /// The size of a dense record's index, without the number of items behind it.
    fileprivate var indexBytes: Int { recordBytes - 6 - 2 * (paletteCount + itemCount) }
}
