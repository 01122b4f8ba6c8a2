import CUnwindTable
import TestFixtures
import Testing
import UnwindTable

/// From rules to their short forms and back.
@Suite struct ShortRuleTests {
    private static let words: [UInt16] = [0, 1, 2, 0x7f, 0x80, 0x7ff, 0x800, 0xffe, 0xfff]

    /// All return addresses and frame pointers, with all flags.
    @Test(arguments: TableMachine.allCases)
    func everyShortFormIsThatOfItsRule(machine: TableMachine) {
        let signs: [UInt16] = machine == .aarch64 ? [0, UInt16(CFIC_SHORT_RA_SIGNED)] : [0]
        let inferred = signs.flatMap { [$0, $0 | UInt16(CFIC_SHORT_INFERRED)] }
        var wrong = 0
        for ra in 1...UInt8(machine == .aarch64 ? 255 : 254) {
            for fp in 0...UInt8.max {
                for flags in inferred.flatMap({ [$0, $0 | UInt16(CFIC_SHORT_CFA_FP)] }) {
                    for words in Self.words {
                        let short = cfic_short_rule(ra: ra, fp: fp, cfa: words | flags)
                        let rule = Rule(expanding: short, machine: machine)
                        if let again = rule.short(machine: machine), again == short { continue }
                        wrong += 1
                    }
                }
            }
        }
        #expect(wrong == 0)
    }

    @Test func shortFormsMean() {
        func text(_ ra: UInt8, _ fp: UInt8, _ cfa: Int32, _ machine: TableMachine = .x86_64) -> String {
            let short = cfic_short_rule(ra: ra, fp: fp, cfa: UInt16(cfa))
            let operations = UnsafeBufferPointer<UnwindTable.Operation>(start: nil, count: 0)
            return RuleText(machine: machine, operations: operations).text(of: Rule(expanding: short, machine: machine))
        }
        #expect(text(0, 0, 0) == "unknown: \(Reason.noInformation.text)")
        #expect(text(1, 0, 1) == "CFA = rsp+8, rbp = rbp, ra = *(CFA-8)")
        #expect(text(1, 2, 2 | CFIC_SHORT_CFA_FP) == "CFA = rbp+16, rbp = *(CFA-16), ra = *(CFA-8)")
        #expect(text(254, 255, 0xfff) == "CFA = rsp+32760, rbp = *(CFA-2040), ra = *(CFA-2032)")
        #expect(text(255, 0, 0, .aarch64) == "CFA = sp, x29 = x29, ra = x30 (needs live registers)")
        #expect(
            text(1, 2, 2 | CFIC_SHORT_CFA_FP | CFIC_SHORT_RA_SIGNED, .aarch64)
                == "CFA = x29+16, x29 = *(CFA-16), ra = *(CFA-8) (ra signed)")
        #expect(text(1, 0, 1 | CFIC_SHORT_INFERRED) == "CFA = rsp+8, rbp = rbp, ra = *(CFA-8) (inferred)")
        #expect(
            text(255, 0, CFIC_SHORT_INFERRED, .aarch64)
                == "CFA = sp, x29 = x29, ra = x30 (needs live registers, inferred)")
    }

    /// What a short form can't say, one difference at a time from CFA = SP + 16, FP and return address below it.
    @Test func otherRulesHaveNone() {
        typealias Change = (inout cfic_rule) -> Void
        let base = Rule(expanding: cfic_short_rule(ra: 1, fp: 2, cfa: 2), machine: .x86_64)
        let changes: [(String, Change)] = [
            ("signal frame", { $0.kind |= UInt8(CFIC_RULE_SIGNAL) }),
            ("signed on x86-64", { $0.kind |= UInt8(CFIC_RULE_RA_SIGNED) }),
            ("live", { $0.kind |= UInt8(CFIC_RULE_LIVE_REGISTERS) }),
            ("dereferenced", { $0.kind = UInt8(CFIC_CFA_DEREF.rawValue) }),
            ("expression", { $0.kind = UInt8(CFIC_CFA_EXPRESSION.rawValue) }),
            ("inferred end", { $0.kind = UInt8(CFIC_CFA_END.rawValue) | UInt8(CFIC_RULE_INFERRED) }),
            ("end", { $0.kind = UInt8(CFIC_CFA_END.rawValue) }),
            ("reason", { $0 = Rule.unknown(Reason(rawValue: 3)).fields }),
            ("other register", { $0.cfa = 3 }),
            ("negative offset", { $0.cfa_offset = -8 }),
            ("small negative offset", { $0.cfa_offset = -4 }),
            ("offset of 12", { $0.cfa_offset = 12 }),
            ("large offset", { $0.cfa_offset = 0x8000 }),
            ("highest offset", { $0.cfa_offset = .max }),
            ("lowest offset", { $0.cfa_offset = .min }),
            ("frame pointer above", { $0.fp_offset = 8 }),
            ("frame pointer at the CFA", { $0.fp_offset = 0 }),
            ("frame pointer far below", { $0.fp_offset = -2048 }),
            ("frame pointer not at a word", { $0.fp_offset = -12 }),
            ("frame pointer lost", { ($0.fp, $0.fp_offset) = (0xe0, 0) }),
            ("frame pointer in a register", { $0.fp = 0x63 }),
            ("lowest frame pointer", { $0.fp_offset = .min }),
            ("return address above", { $0.ra_offset = 8 }),
            ("return address at the CFA", { $0.ra_offset = 0 }),
            ("return address 255 words below", { $0.ra_offset = -2040 }),
            ("lowest return address", { $0.ra_offset = .min }),
            ("return address in a register", { ($0.ra, $0.ra_offset) = (0x61, 0) }),
            ("link register on x86-64", { ($0.ra, $0.ra_offset) = (0x7e, 0) }),
        ]
        #expect(base.short(machine: .x86_64) != nil)
        for (name, change) in changes {
            var rule = base
            change(&rule.fields)
            #expect(rule.short(machine: .x86_64) == nil, "\(name)")
        }
    }

    /// A short form, if there is one, means the rule: whatever its bits are.
    @Test func randomRules() {
        var random = SeededGenerator(seed: 5)
        var (short, wrong) = (0, 0)
        for _ in 0..<200_000 {
            let machine: TableMachine = Bool.random(using: &random) ? .x86_64 : .aarch64
            var fields = cfic_rule(
                kind: [2, 2, 0x12, 0x22, 0x82, 3, 0x0a].randomElement(using: &random) ?? 2,
                cfa: [6, 7, 29, 31].randomElement(using: &random) ?? 0,
                fp: [0, 0x20].randomElement(using: &random) ?? 0, ra: [0x20, 0x7e].randomElement(using: &random) ?? 0,
                cfa_offset: Int32.random(in: -2...0x1001, using: &random) * 8,
                fp_offset: Int16.random(in: -260...2, using: &random) * 8,
                ra_offset: Int16.random(in: -260...2, using: &random) * 8)
            if fields.fp == 0 { fields.fp_offset = 0 }
            if fields.ra == 0x7e { fields.ra_offset = 0 }
            guard let form = Rule(fields).short(machine: machine) else { continue }
            short += 1
            if Rule(expanding: form, machine: machine) != Rule(fields) { wrong += 1 }
        }
        #expect(short > 10_000 && wrong == 0)
    }
}
