import CUnwindTable
import TestFixtures
import UnwindTable

/// Tables with at least one of each kind of page, index, template and rule.
enum Specimen {
    /// Pages: 0 sparse, 1 dense with a palette of 7, 2 quarters, 3 uniform, 4 sparse with a palette of 3, 5 dense with
    /// numbers of 4 bits, 6 dense with blocks of 16 units, which end at unit 1,023, and, in another range, 7 sparse with a
    /// palette of 7.
    ///
    /// Templates: symbol 200 with 3 rows, up to 10 units after the first, and 201 with 8 rows, up to 7 units after.
    /// Rules: 1 to 299 short, of which 7 and 8 are inferred, 300 to 306 long, the last one inferred. Sources: three runs.
    static func large() -> CorruptibleTable {
        var table = HandmadeTable()
        table.digest = Array(0..<16)
        table.rules += (1..<300).map { cfic_short_rule(ra: 1, fp: UInt8($0 & 2), cfa: UInt16(500 + $0)) }
        for number in [7, 8] { table.rules[number].cfa |= UInt16(CFIC_SHORT_INFERRED) }
        addLongRules(&table)
        table.firstTemplate = 200
        table.templates = [
            [.init(0, 1), .init(4, 2), .init(10, 3)],
            (0..<8).map { .init($0, 5 + $0) },
        ]
        let items: [HandmadeTable.Item] = (0..<262).map { number in
            let unit = number * 200
            return .init(unit, number % 4 == 0 && unit & 0xff <= 248 ? 251 : 249 + number % 2)
        }
        let fine: [HandmadeTable.Item] = (0..<51).map { .init($0 * 20, $0 * 20 & 15 <= 8 ? 201 : 1 + $0 % 3) }
        table.ranges = [
            (
                1,
                [
                    .sparse([.init(0, 0), .init(0x40, 1), .init(0x300, 200), .init(0x1000, 2)]),
                    .dense(palette: [301, 205, 201, 4, 5, 6, 7], .groups(bits: 8), items),
                    .quarters(quarters(every: 50, rules: 300)),
                    .uniform(5),
                    .sparse(palette: [250, 251, 200], [.init(0, 253), .init(0x40, 254), .init(0x80, 255)]),
                    .dense(.nibbles, (0..<260).map { .init($0 * 200, $0 % 5 + 1) }),
                    .dense(.groups(bits: 4), lastUnit: 1023, fine),
                ]
            ),
            (
                1 << 24,
                [.sparse(palette: Array(302..<309), (0..<7).map { .init($0 * 0x20, 249 + $0) })]
            ),
        ]
        table.sources = [
            cfic_source(start: 0x1_0010, size: 0x30, .inferred), cfic_source(start: 0x1_0040, size: 1, .debugFrame),
            cfic_source(start: 0x100_0000_0000, size: 0x1000, .goFunctionTable),
        ]
        return CorruptibleTable(table.bytes)
    }

    /// The same kinds of page with few rules and few bytes, so that fewer symbols than codes have a meaning: 0 sparse, 1
    /// dense, 2 quarters, 3 uniform, 4 dense with numbers of 4 bits, 5 dense with blocks of 32 units, 6 sparse.
    static func small() -> CorruptibleTable {
        var table = HandmadeTable()
        table.rules += (1..<4).map { cfic_short_rule(ra: 1, fp: 2, cfa: UInt16(1 + $0)) }
        addLongRules(&table)
        table.firstTemplate = 4
        table.templates = [[.init(0, 1), .init(4, 2), .init(10, 3)], (0..<8).map { .init($0 * 2, 1 + $0 % 3) }]
        table.ranges = [
            (
                1,
                [
                    .sparse([.init(0, 0), .init(0x40, 1), .init(0x300, 4)]),
                    .dense(.groups(bits: 8), lastUnit: 0x1fff, (0..<40).map { .init($0 * 20, 1 + $0 % 3) }),
                    .quarters(quarters(every: 1000, rules: 4)),
                    .uniform(3),
                    .dense(palette: [5], .nibbles, lastUnit: 0xfff, (0..<10).map { .init($0 * 256, 255) }),
                    .dense(.groups(bits: 5), lastUnit: 0x1ff, (0..<16).map { .init($0 * 32, 4 + $0 % 2) }),
                ]
            ),
            (1 << 24, [.sparse((0..<7).map { .init($0 * 0x20, 6 + $0) })]),
        ]
        return CorruptibleTable(table.bytes)
    }

    static func aarch64() -> CorruptibleTable {
        var table = HandmadeTable()
        table.machine = .aarch64
        table.keyKind = CFIC_KEY_CONTENT
        table.key = Array(100..<132)
        table.rules += [
            cfic_short_rule(ra: 255, fp: 0, cfa: 0),
            cfic_short_rule(ra: 255, fp: 0, cfa: UInt16(CFIC_SHORT_RA_SIGNED)),
            cfic_short_rule(ra: 1, fp: 2, cfa: UInt16(2 | CFIC_SHORT_RA_SIGNED | CFIC_SHORT_CFA_FP)),
            cfic_short_rule(ra: 255, fp: 0, cfa: UInt16(CFIC_SHORT_INFERRED)),
        ]
        table.ranges = [(1, [.sparse((0..<5).map { .init($0, $0) } + [.init(0x400, 0)])])]
        return CorruptibleTable(table.bytes)
    }

    /// Rows at equal distances.
    private static func quarters(every distance: Int, rules: Int) -> [[HandmadeTable.Row]] {
        (0..<4).map { quarter in (0...0x3fff / distance).map { .init($0 * distance, ($0 + quarter) % rules) } }
    }

    /// Seven, with a program for each of CFA, SP, FP and return address, an end of stack, a reason, and a load.
    private static func addLongRules(_ table: inout HandmadeTable) {
        func rule(_ kind: UInt8, _ cfa: UInt8, _ fp: UInt8, _ ra: UInt8, _ offsets: (Int32, Int16, Int16)) -> Rule {
            Rule(
                cfic_rule(
                    kind: kind, cfa: cfa, fp: fp, ra: ra, cfa_offset: offsets.0, fp_offset: offsets.1,
                    ra_offset: offsets.2))
        }
        table.operations = [
            // 0: the lazy PLT's CFA.
            .init(.register, register: 7, 8), .init(.pc), .init(.and, immediateOperand: 15),
            .init(.greaterOrEqual, immediateOperand: 11), .init(.shiftLeft, immediateOperand: 3), .init(.add),
            .init(.end),
            // 7: the caller's SP, and the CFA.
            .init(.register, register: 7, 32), .init(.load, register: 8), .init(.register, register: 7, 8), .init(.end),
            // 11: a value.
            .init(.register, register: 6), .init(.add, immediateOperand: -8), .init(.end),
        ]
        table.longRules = [
            rule(4, 0, 0, 0x20, (0, 0, -8)), rule(0x44, 0, 0, 0x20, (7, 0, -8)), rule(2, 7, 0xc0, 0x20, (8, 11, -8)),
            rule(2, 7, 0, 0xa0, (8, 0, 11)), .endOfStack, .unknown(Reason(rawValue: 3)),
            rule(0x83, 6, 0, 0x20, (-8, 0, -8)),
        ]
        table.rules += table.longRules.indices.map { cfic_short_rule(longIndex: $0) }
    }
}
