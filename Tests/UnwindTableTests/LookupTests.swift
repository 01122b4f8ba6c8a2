import CUnwindTable
import TestFixtures
import Testing
import UnwindTable

/// Lookups and listings of pages of all encodings, compared with what the rows say.
@Suite struct LookupTests {
    struct Encoding: Sendable, CustomTestStringConvertible {
        /// Nil: sparse.
        var index: String?
        var bits = 8
        var palette = 0
        var lastUnit = 0xffff

        var testDescription: String { "\(index ?? "sparse"), \(bits) bits, palette of \(palette), to \(lastUnit)" }

        static let all: [Encoding] = [0, 1, 7, 255].flatMap(encodings)

        private static func encodings(palette: Int) -> [Encoding] {
            var all = [Encoding(palette: palette)]
            for lastUnit in [0xffff, 0x0fff, 0x7fff] {
                all.append(Encoding(index: "nibbles", palette: palette, lastUnit: lastUnit))
            }
            for bits in 4...8 {
                for lastUnit in [0xffff, 8 << bits - 1, 24 << bits - 1] {
                    all.append(Encoding(index: "groups", bits: bits, palette: palette, lastUnit: lastUnit))
                }
            }
            return all
        }
    }

    @Test(arguments: Encoding.all)
    func everyUnitHasItsRule(_ encoding: Encoding) throws {
        let kinds = [(TableMachine.x86_64, 0, 300), (.aarch64, 1, 9), (.aarch64, 40, 1), (.x86_64, 256, 40)]
        for (machine, templates, gap) in kinds {
            var random = SeededGenerator(seed: UInt64(1 + templates))
            var table = Self.table(machine, templates: templates, &random)
            table.ranges = [(7, [Self.page(encoding, gap: gap, table, &random)])]
            try expect(table)
        }
    }

    private func expect(_ table: HandmadeTable) throws {
        let memory = GuardedBytes(table.bytes)
        let view = try TableVerifier.verify(memory.bytes)
        let start = UInt64(7) << view.pageShift, bytes = UInt64(1) << UInt64(table.machine.pcShift)
        let rules = table.rules(of: table.ranges[0].pages[0])
        let wrong = rules.indices.filter { unit in
            let address = start + UInt64(unit) * bytes
            return view.ruleNumber(at: address) != rules[unit]
                || view.ruleNumber(at: address + bytes - 1) != rules[unit]
        }
        #expect(wrong.isEmpty, "\(wrong.count) units, the first at \(wrong.first ?? 0)")
        var listed: [Int] = []
        view.forEachRow { range, rule in
            listed += Array(repeating: rule, count: Int((range.upperBound - range.lowerBound) / bytes))
        }
        // Not in the macro, which would print both.
        let isListed = listed == rules
        #expect(isListed)
        #expect(view.ruleNumber(at: start - 1) == 0 && view.ruleNumber(at: start + bytes << 16) == 0)
        withExtendedLifetime(memory) {}
    }

    /// As many items as an index can count: in a block, or in the first seven blocks of a group and in its last one.
    @Test func fullBlocks() throws {
        let full: [(HandmadeTable.Index, Int, [Int])] = [
            (.nibbles, 15, Array(0..<256)), (.groups(bits: 8), 127, (0..<256).filter { $0 % 8 == 0 || $0 % 8 == 7 }),
            (.groups(bits: 7), 127, (0..<512).filter { $0 % 8 == 0 || $0 % 8 == 7 }),
        ]
        for (index, count, blocks) in full {
            var table = HandmadeTable()
            table.rules += (1...2).map { cfic_short_rule(ra: 1, fp: 0, cfa: $0) }
            let items = blocks.prefix(32_000 / count).flatMap { block in
                (0..<count).map { HandmadeTable.Item(block << index.blockBits + $0, 1 + $0 & 1) }
            }
            table.ranges = [(7, [.dense(index, items)])]
            try expect(table)
        }
    }

    // MARK: Random tables

    /// Rules and random templates.
    private static func table(
        _ machine: TableMachine, templates count: Int, _ random: inout SeededGenerator
    ) -> HandmadeTable {
        var table = HandmadeTable()
        table.machine = machine
        table.rules += (1..<700).map { cfic_short_rule(ra: 1, fp: 0, cfa: $0) }
        table.firstTemplate = count == 0 ? 256 : [0, 100, 150, 700].randomElement(using: &random) ?? 0
        table.templates = (0..<count).map { _ in
            var rows = [HandmadeTable.Row(0, Int.random(in: 0..<256, using: &random))]
            let (length, gap) = (Int.random(in: 2...8, using: &random), [2, 9, 36].randomElement(using: &random) ?? 2)
            while rows.count < length {
                let last = rows[rows.count - 1]
                let offset = last.unit + Int.random(in: 1...gap, using: &random)
                let rule = (last.rule + Int.random(in: 1..<256, using: &random)) % 256
                if offset > 255 { break }
                rows.append(HandmadeTable.Row(offset, rule))
            }
            return rows
        }
        return table
    }

    private static func page(
        _ encoding: Encoding, gap: Int, _ table: HandmadeTable, _ random: inout SeededGenerator
    ) -> HandmadeTable.Page {
        let symbols = table.rules.count + table.templates.count
        let palette = (0..<encoding.palette).map { _ in Int.random(in: 0..<symbols, using: &random) }
        let index: HandmadeTable.Index = encoding.index == "nibbles" ? .nibbles : .groups(bits: encoding.bits)
        let bits = encoding.index == nil ? 8 : index.blockBits
        let blockLimit = encoding.index == nil ? 256 : index.blockLimit
        let limit = encoding.index == nil ? 256 : 30_000
        var items: [HandmadeTable.Item] = []
        var (unit, inBlock, inGroup) = (0, 0, 0)
        while unit <= encoding.lastUnit, items.count < limit {
            let left = 1 << bits - unit & (1 << bits - 1)
            // A code whose rows stay in the block. There may be none if the block nearly ends.
            func last(_ code: Int) -> Int {
                let entry = code + palette.count - 256
                return table.rows(of: entry < 0 ? code : palette[entry]).last?.unit ?? 0
            }
            var code = Int.random(in: 0..<256, using: &random)
            for _ in 0..<200 where last(code) >= left { code = Int.random(in: 0..<256, using: &random) }
            if last(code) >= left {
                (unit, inBlock) = (unit + left, 0)
                continue
            }
            items.append(HandmadeTable.Item(unit, code))
            let block = unit >> bits
            inBlock += 1
            inGroup += 1
            unit += last(code) + Int.random(in: 1...gap, using: &random)
            if unit >> bits != block { inBlock = 0 }
            if unit >> (bits + 3) != block >> 3 { inGroup = 0 }
            // An index can't count more.
            if unit >> bits == block, inBlock == blockLimit { (unit, inBlock) = ((block + 1) << bits, 0) }
            if index.blockLimit == 127, inGroup >= 127, unit >> bits % 8 < 7 {
                (unit, inBlock) = ((unit >> bits | 7) << bits, 0)
            }
        }
        return encoding.index == nil
            ? .sparse(palette: palette, items)
            : .dense(palette: palette, index, lastUnit: encoding.lastUnit, items)
    }
}
