import CUnwindTable
import TestFixtures
import UnwindTable

extension Corruption {
    static let ofRecords: [Corruption] = [
        Corruption("sparseWithoutRows", "pages", "sparse record has no rows or more than 256") {
            $0.store(UInt16(0), at: $0.record(0))
        },
        Corruption("sparseWith257Rows", "pages", "sparse record has no rows or more than 256") {
            $0.store(UInt16(257), at: $0.record(0))
        },
        Corruption("paletteOf257", "pages", "palette has more than 256 entries") {
            $0.store(UInt16(257), at: $0.record(0) + 2)
        },
        Corruption("sparseFirstUnit", "pages", "record has no row at unit 0") {
            $0.store(UInt16(1), at: $0.sparseUnits(0))
        },
        Corruption("sparseUnitsEqual", "pages", "units do not increase") {
            $0.store(UInt16(0x300), at: $0.sparseUnits(0) + 2)
        },
        Corruption("sparseUnitsFall", "pages", "units do not increase") {
            $0.store(UInt16(0), at: $0.sparseUnits(0) + 6)
        },
        Corruption("sparsePaletteEntry", "pages", "palette entry is not below the number of rules") {
            $0.store(UInt16.max, at: $0.record(4) + 4)
        },
        Corruption("sparsePaletteIndex", "pages", "palette index is outside the palette") {
            $0.store(UInt8(3), at: $0.record(4) + 4 + 2 * 3 + 2 * 3)
        },
        Corruption("denseWithoutRows", "pages", "block index does not hold all rows") {
            $0.store(UInt16(0), at: $0.record(5))
        },
        Corruption("denseTooLarge", "pages", "record is larger than 65,536 bytes") {
            $0.store(UInt16.max, at: $0.record(5))
        },
        Corruption("denseReserved", "pages", "reserved byte is not zero") {
            $0.store(UInt8(1), at: $0.record(5) + 327)
        },
        Corruption("densePaletteEntry", "pages", "palette entry is not below the number of rules") {
            $0.store(UInt16.max, at: $0.record(1) + 328 + 2)
        },
        Corruption("densePaletteIndex", "pages", "palette index is outside the palette") {
            $0.store(UInt8(7), at: $0.record(1) + 328 + 2 * 7 + 2 * 100 + 1)
        },
        Corruption("denseIndexStart", "pages", "block index does not hold all rows") {
            $0.store(UInt8(1), at: $0.record(5) + 70)
        },
        Corruption("denseIndexEnd", "pages", "block index does not hold all rows") {
            $0.store(UInt16(259), at: $0.record(5) + 4 + 2 * 32)
        },
        Corruption("denseIndexFalls", "pages", "block index decreases or points outside the rows") {
            $0.store(UInt8(0), at: $0.record(5) + 70 + 3)
        },
        Corruption("denseIndexOutsideRows", "pages", "block index decreases or points outside the rows") {
            $0.store(UInt16.max, at: $0.record(5) + 4 + 2 * 5)
        },
        Corruption("denseFirstUnit", "pages", "record has no row at unit 0") {
            $0.store(UInt8(1), at: $0.record(5) + 328)
        },
        Corruption("denseFirstBlockEmpty", "pages", "record has no row at unit 0") {
            $0.store(UInt8(0), at: $0.record(5) + 70 + 1)
        },
        Corruption("denseUnitsEqual", "pages", "units do not increase in their block") {
            // Rows are 200 units apart: the first block has the rows at 0 and 200.
            $0.store(UInt8(0), at: $0.record(5) + 328 + 2)
        },
        Corruption("denseUnitsFallInTheLastBlock", "pages", "units do not increase in their block") {
            // Block 202 has the last row, at 51,800. Assign the preceding row to it, whose low byte is higher.
            let record = $0.record(5)
            let first = $0.load(record + 4 + 2 * 25, as: UInt16.self)
            $0.store(UInt8(258 - first), at: record + 70 + 202)
        },
        Corruption("quarterTooLarge", "pages", "quarter has more than 16,384 rows") {
            $0.store(UInt16(16_385), at: $0.quarter(1, of: 2))
        },
        Corruption("quarterWithoutRows", "pages", "block index does not hold all rows") {
            $0.store(UInt16(0), at: $0.quarter(1, of: 2))
        },
        Corruption("quarterRuleNumber", "pages", "rule number is not below the number of rules") {
            $0.store(UInt16.max, at: $0.quarter(3, of: 2) + 132)
        },
        Corruption("quarterFirstUnit", "pages", "record has no row at unit 0") {
            let quarter = $0.quarter(1, of: 2)
            $0.store(UInt8(1), at: quarter + 132 + 2 * Int($0.load(quarter, as: UInt16.self)))
        },
        Corruption("quarterUnitsFall", "pages", "units do not increase in their block") {
            let quarter = $0.quarter(0, of: 2)
            $0.store(UInt8(0), at: quarter + 132 + 2 * Int($0.load(quarter, as: UInt16.self)) + 2)
        },
        Corruption("quarterIndexFalls", "pages", "block index decreases or points outside the rows") {
            $0.store(UInt16(0), at: $0.quarter(0, of: 2) + 2 + 2 * 5)
        },
        Corruption("quarterIndexOutsideRows", "pages", "block index decreases or points outside the rows") {
            $0.store(UInt16.max, at: $0.quarter(0, of: 2) + 2 + 2 * 63)
        },
    ]

    private static func rule(
        _ name: String, _ problem: String, _ kind: UInt8, _ cfa: UInt8, _ fp: UInt8, _ ra: UInt8,
        _ offsets: (Int32, Int16, Int16) = (0, 0, 0)
    ) -> Corruption {
        Corruption(name, "rules", "rule 5: " + problem) { table in
            for (position, byte) in [kind, cfa, fp, ra].enumerated() { table.store(byte, at: table.rule(5) + position) }
            table.store(offsets.0, at: table.rule(5) + 4)
            table.store(offsets.1, at: table.rule(5) + 8)
            table.store(offsets.2, at: table.rule(5) + 10)
        }
    }

    /// Kinds: 2 register, 3 load, 4 expression. Values, in the high three bits: 0x20 at CFA, 0x40 at register,
    /// 0x60 register, 0x80 CFA, 0xa0 expression, 0xc0 at expression, 0xe0 undefined.
    static let ofRules: [Corruption] = [
        Corruption("noRules", "rules", "there are no rules, or more than 65,536") { table in
            let rules = table.start(CFIC_SECTION_RULES)
            table.truncate(to: rules)
            for section in [CFIC_SECTION_RULES, CFIC_SECTION_EXPRESSIONS, CFIC_SECTION_PAGES] {
                table.store(UInt64(rules), at: table.entry(section))
                table.store(UInt64(0), at: table.entry(section) + 8)
            }
        },
        Corruption("65537Rules", "rules", "there are no rules, or more than 65,536") { table in
            // Enough zeros to keep the following sections at multiples of 16.
            let old = (table.size(CFIC_SECTION_RULES) + 15) & ~15
            let more = ((65_537 * 12 + 15) & ~15) - old
            table.insert([UInt8](repeating: 0, count: more), at: table.rule(0))
            table.store(UInt64(65_537 * 12), at: table.entry(CFIC_SECTION_RULES) + 8)
            for section in [CFIC_SECTION_EXPRESSIONS, CFIC_SECTION_PAGES] {
                table.store(UInt64(table.start(section) + more), at: table.entry(section))
            }
        },
        Corruption("ruleZero", "rules", "rule 0: rule 0 is not \"no information\"") {
            $0.store(Int32(1), at: $0.rule(0) + 4)
        },
        rule("unknownReason", "unknown reason, or a reason combined with a rule", 0, 0, 0, 0, (18, 0, 0)),
        rule("negativeReason", "unknown reason, or a reason combined with a rule", 0, 0, 0, 0, (-1, 0, 0)),
        rule("reasonWithFlag", "unknown reason, or a reason combined with a rule", 0x08, 0, 0, 0, (1, 0, 0)),
        rule("reasonWithOffset", "unknown reason, or a reason combined with a rule", 0, 0, 0, 0, (1, 0, 8)),
        rule("endWithOffset", "end of stack combined with a rule", 1, 0, 0, 0, (0, 0, 8)),
        rule("unknownCFAKind", "unknown kind of CFA", 5, 7, 0, 0x20),
        rule("addendWithoutLoad", "addend without a load", 2, 0x27, 0, 0x20),
        rule("registerBesideExpression", "register or addend beside an expression", 4, 7, 0, 0x20),
        rule("cfaRegister", "register 16 is not one of the machine's", 0x22, 16, 0, 0x20),
        rule("loadRegister", "register 31 is not one of the machine's", 0x23, 31, 0, 0x20),
        rule("framePointerRegister", "register 17 is not one of the machine's", 0x22, 7, 0x71, 0x20),
        rule("returnAddressRegister", "register 16 is not one of the machine's", 0x22, 7, 0, 0x50),
        rule("unknownFlag", "unknown flag", 0x82, 7, 0, 0x20),
        rule("signedOnX86", "signed return address on a machine without pointer authentication", 0x12, 7, 0, 0x20),
        rule("stackPointerWithoutProgram", "stack pointer on the stack without a program", 0x42, 7, 0, 0x20),
        rule("returnAddressSame", "return address has no location", 2, 7, 0, 0),
        rule("returnAddressUndefined", "return address has no location", 2, 7, 0, 0xe0),
        rule("sameWithOffset", "unused register or offset is not zero", 2, 7, 0, 0x20, (8, 8, -8)),
        rule("undefinedWithRegister", "unused register or offset is not zero", 2, 7, 0xe1, 0x20),
        rule("atCFAWithRegister", "unused register is not zero", 2, 7, 0x21, 0x20),
        rule("expressionWithRegister", "unused register is not zero", 2, 7, 0xa1, 0x20),
        rule("liveCFARegister", "reads an untracked register without the flag that says so", 2, 3, 0, 0x20),
        rule("liveReturnAddress", "reads an untracked register without the flag that says so", 2, 7, 0, 0x61),
        rule("cfaExpressionIndex", "expression index is outside the expressions", 4, 0, 0, 0x20, (1 << 20, 0, 0)),
        rule("negativeExpressionIndex", "expression index is outside the expressions", 4, 0, 0, 0x20, (-1, 0, 0)),
        rule("framePointerIndex", "expression index is outside the expressions", 2, 7, 0xc0, 0x20, (8, .max, -8)),
        rule("returnAddressIndex", "expression index is outside the expressions", 2, 7, 0, 0xa0, (8, 0, -1)),
    ]

    /// Appends `operations`, and makes them the program of rule 5's CFA or, with `isValue`, of its frame pointer.
    private static func program(
        _ name: String, _ problem: String, flags: UInt8 = 0, isValue: Bool = false,
        _ operations: [(UInt8, UInt8, Int32)]
    ) -> Corruption {
        Corruption(name, "expressions", "rule 5: " + problem) { table in
            var bytes: [UInt8] = []
            for (operation, register, immediate) in operations {
                bytes += [operation, register, 0, 0] + little(immediate)
            }
            let first = table.size(CFIC_SECTION_EXPRESSIONS) / 8
            let expressions = table.size(CFIC_SECTION_EXPRESSIONS) + bytes.count
            let padding = [UInt8](repeating: 0, count: (16 - expressions % 16) % 16)
            let old = table.start(CFIC_SECTION_PAGES)
            let end = table.operation(first)
            let pages = Array(table.bytes[old...])
            table.truncate(to: end)
            table.append(bytes + padding + pages)
            table.store(UInt64(end + bytes.count - table.operation(0)), at: table.entry(CFIC_SECTION_EXPRESSIONS) + 8)
            table.store(UInt64(end + bytes.count + padding.count), at: table.entry(CFIC_SECTION_PAGES))
            let rule: [UInt8] = isValue ? [2 | flags, 7, 0xa0, 0x20] : [4 | flags, 0, 0, 0x20]
            for (position, byte) in rule.enumerated() { table.store(byte, at: table.rule(5) + position) }
            table.store(Int32(isValue ? 8 : first), at: table.rule(5) + 4)
            table.store(Int16(isValue ? first : 0), at: table.rule(5) + 8)
            table.store(Int16(0), at: table.rule(5) + 10)
        }
    }

    /// Operations: 0 end, 1 register, 3 CFA, 4 constant, 5 load, 6 dup, 7 drop, 8 swap, 9 rot, 10 neg, 13 add.
    static let ofPrograms: [Corruption] = [
        program("programWithoutEnd", "program runs into the end of the expressions", [(4, 0, 1)]),
        program(
            "programOf17", "program has more than 16 operations",
            [(4, 0, 1)] + Array(repeating: (13, 1, 1), count: 16) + [(0, 0, 0)]),
        program("stackOf9", "stack is deeper than 8", Array(repeating: (4, 0, 1), count: 9) + [(0, 0, 0)]),
        program("emptyProgram", "program leaves 0 values, needs 1", [(0, 0, 0)]),
        program("programThatDropsAll", "program leaves 0 values, needs 1", [(4, 0, 1), (7, 0, 0), (0, 0, 0)]),
        program("programWithoutStackPointer", "program leaves 1 values, needs 2", flags: 0x40, [(4, 0, 1), (0, 0, 0)]),
        program("addOfOne", "operation pops more values than the stack holds", [(4, 0, 1), (13, 0, 0), (0, 0, 0)]),
        program("loadOfNothing", "operation pops more values than the stack holds", [(5, 8, 0), (0, 0, 0)]),
        program("swapOfOne", "operation pops more values than the stack holds", [(4, 0, 1), (8, 0, 0), (0, 0, 0)]),
        program(
            "rotOfTwo", "operation pops more values than the stack holds",
            [(4, 0, 1), (4, 0, 1), (9, 0, 0), (0, 0, 0)]),
        program(
            "dupBelowBottom", "operation pops more values than the stack holds", [(4, 0, 1), (6, 0, 1), (0, 0, 0)]),
        program("dupOfMinusOne", "invalid operand", [(4, 0, 1), (6, 0, -1), (0, 0, 0)]),
        program("dupOfTheLowest", "invalid operand", [(4, 0, 1), (6, 0, .max), (0, 0, 0)]),
        program("loadOf3Bytes", "invalid operand", [(4, 0, 1), (5, 3, 0), (0, 0, 0)]),
        program("operandKind", "invalid operand", [(4, 0, 1), (13, 2, 1), (0, 0, 0)]),
        program("immediateOfStackOperand", "invalid operand", [(4, 0, 1), (4, 0, 1), (13, 0, 1), (0, 0, 0)]),
        program("registerOfConstant", "invalid operand", [(4, 1, 1), (0, 0, 0)]),
        program("immediateOfNegate", "invalid operand", [(4, 0, 1), (10, 0, 1), (0, 0, 0)]),
        program("operandOfEnd", "invalid operand", [(4, 0, 1), (0, 1, 0)]),
        program("programRegister", "register 16 is not one of the machine's", [(1, 16, 0), (0, 0, 0)]),
        program("unknownOperation", "unknown operation 30", [(30, 1, 0), (0, 0, 0)]),
        program("cfaOfItself", "program of the CFA reads the CFA", [(3, 0, 0), (0, 0, 0)]),
        program("valueProgramWithoutEnd", "program runs into the end of the expressions", isValue: true, [(3, 0, 0)]),
        Corruption("reservedOfOperation", "expressions", "rule 5: invalid operand") {
            let valid = program("", "", [(4, 0, 1), (0, 0, 0)])
            valid.change(&$0)
            $0.store(UInt16(1), at: $0.operation(Int($0.load($0.rule(5) + 4, as: Int32.self))) + 2)
        },
        Corruption("liveRegister", "rules", "rule 5: reads an untracked register without the flag that says so") {
            program("", "", [(1, 3, 0), (0, 0, 0)]).change(&$0)
        },
    ]
}
