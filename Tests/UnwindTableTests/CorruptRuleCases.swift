import CUnwindTable
import TestFixtures
import UnwindTable

extension Corruption {
    private static func rule(
        _ name: String, _ problem: String, _ kind: UInt8, _ cfa: UInt8, _ fp: UInt8, _ ra: UInt8,
        _ offsets: (Int32, Int16, Int16) = (0, 0, 0)
    ) -> Corruption {
        Corruption(name, "long rules", "long rule 3: " + problem) { table in
            let rule = table.longRule(3)
            for (position, byte) in [kind, cfa, fp, ra].enumerated() { table.store(byte, at: rule + position) }
            table.store(offsets.0, at: rule + 4)
            table.store(offsets.1, at: rule + 8)
            table.store(offsets.2, at: rule + 10)
        }
    }

    /// Rule 300 is long rule 0.
    static let ofRules: [Corruption] = [
        Corruption("noRules", "rules", "there are no rules, or more than 65,536") { $0.empty(CFIC_SECTION_RULES) },
        Corruption("65537Rules", "rules", "there are no rules, or more than 65,536") {
            let more = 65_537 - $0.count(CFIC_SECTION_RULES)
            $0.append([UInt8](repeating: 1, count: 4 * more), count: more, to: CFIC_SECTION_RULES)
        },
        Corruption("ruleZero", "rules", "rule 0: not \"no information\"") { $0.store(UInt8(1), at: $0.rule(0)) },
        Corruption("longRuleZero", "rules", "rule 0: not \"no information\"") {
            $0.store(UInt8(0x80), at: $0.rule(0) + 3)
        },
        Corruption("otherZero", "rules", "rule 5: not a rule of the machine") { $0.store(UInt32(0), at: $0.rule(5)) },
        Corruption("noReturnAddress", "rules", "rule 5: not a rule of the machine") {
            $0.store(UInt8(0), at: $0.rule(5))
        },
        Corruption("linkRegister", "rules", "rule 5: not a rule of the machine") {
            $0.store(UInt8(255), at: $0.rule(5))
        },
        Corruption("signed", "rules", "rule 5: not a rule of the machine") {
            $0.store(UInt16(0x2001), at: $0.rule(5) + 2)
        },
        Corruption("inferredZero", "rules", "rule 5: not a rule of the machine") {
            $0.store(UInt32(0x4000_0000), at: $0.rule(5))
        },
        Corruption("longRuleWithOffset", "rules", "rule 300: more than an index of a long rule") {
            $0.store(UInt16(0x8001), at: $0.rule(300) + 2)
        },
        Corruption("longRuleWithFlag", "rules", "rule 300: more than an index of a long rule") {
            $0.store(UInt16(0x9000), at: $0.rule(300) + 2)
        },
        Corruption("longRuleInferred", "rules", "rule 300: more than an index of a long rule") {
            $0.store(UInt16(0xc000), at: $0.rule(300) + 2)
        },
        Corruption("longRuleIndex", "rules", "rule 300: index is outside the long rules") {
            $0.store(UInt8(7), at: $0.rule(300))
        },
        Corruption("highLongRuleIndex", "rules", "rule 300: index is outside the long rules") {
            $0.store(UInt8(1), at: $0.rule(300) + 1)
        },
        Corruption("moreLongRulesThanRules", "long rules", "there are more long rules than rules") {
            $0.append([UInt8](repeating: 0, count: 12 * 301), count: 301, to: CFIC_SECTION_LONG_RULES)
        },
    ]

    /// Rule 1 has the link register.
    static let ofAArch64Rules: [Corruption] = [
        Corruption("noReturnAddressOfAArch64", "rules", "rule 1: not a rule of the machine") {
            $0.store(UInt8(0), at: $0.rule(1))
        }
    ]

    /// Kinds: 2 register, 3 load, 4 expression. Values, in the high three bits: 0x20 at CFA, 0x40 at register,
    /// 0x60 register, 0x80 CFA, 0xa0 expression, 0xc0 at expression, 0xe0 undefined.
    static let ofLongRules: [Corruption] = [
        rule("shortForm", "has a short form", 2, 7, 0, 0x20, (8, 0, -8)),
        rule("noInformation", "has a short form", 0, 0, 0, 0),
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
        rule("inferredShortForm", "has a short form", 0x82, 7, 0, 0x20, (8, 0, -8)),
        rule("inferredReason", "unknown reason, or a reason combined with a rule", 0x80, 0, 0, 0, (1, 0, 0)),
        rule("inferredEnd", "end of stack combined with a rule", 0x81, 0, 0, 0),
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

    /// Appends `operations`, and makes them the program of long rule 3's CFA or, with `isValue`, of its frame pointer.
    private static func program(
        _ name: String, _ problem: String, flags: UInt8 = 0, isValue: Bool = false,
        _ operations: [(UInt8, UInt8, Int32)]
    ) -> Corruption {
        Corruption(name, "expressions", "long rule 3: " + problem) { table in
            var bytes: [UInt8] = []
            for (operation, register, immediate) in operations {
                bytes += [operation, register, 0, 0] + little(immediate)
            }
            let first = table.count(CFIC_SECTION_EXPRESSIONS)
            table.append(bytes, count: operations.count, to: CFIC_SECTION_EXPRESSIONS)
            let rule: [UInt8] = isValue ? [2 | flags, 7, 0xa0, 0x20] : [4 | flags, 0, 0, 0x20]
            for (position, byte) in rule.enumerated() { table.store(byte, at: table.longRule(3) + position) }
            table.store(Int32(isValue ? 8 : first), at: table.longRule(3) + 4)
            table.store(Int16(isValue ? first : 0), at: table.longRule(3) + 8)
            table.store(Int16(0), at: table.longRule(3) + 10)
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
        Corruption("reservedOfOperation", "expressions", "long rule 3: invalid operand") {
            let valid = program("", "", [(4, 0, 1), (0, 0, 0)])
            valid.change(&$0)
            $0.store(UInt16(1), at: $0.operation(Int($0.load($0.longRule(3) + 4, as: Int32.self))) + 2)
        },
        Corruption(
            "liveRegister", "long rules", "long rule 3: reads an untracked register without the flag that says so"
        ) {
            program("", "", [(1, 3, 0), (0, 0, 0)]).change(&$0)
        },
    ]
}
