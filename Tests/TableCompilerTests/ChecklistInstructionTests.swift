import TestFixtures
import Testing
import UnwindTable

/// Assembled call frame instructions (DWARF 5 §6.4.2, LSB, AArch64 DWARF ABI), from bytes to the table's rules.
@Suite struct ChecklistInstructionTests {
    /// The rows of a function of 64 bytes with these instructions after its CIE's: CFA = rsp+8, ra = *(CFA-8).
    private func x86_64(_ escaped: String) throws -> [String] {
        try rows(escaped, code: ".fill 64, 1, 0x90", .x86_64)
    }

    /// The same for aarch64, whose CIE has CFA = sp. Advances are in bytes.
    private func aarch64(_ escaped: String) throws -> [String] {
        try rows(escaped, code: ".fill 16, 4, 0xd503201f", .aarch64)
    }

    private func rows(_ escaped: String, code: String, _ target: Fixture.Target) throws -> [String] {
        let fixture = try Fixture()
        return try CompiledImage(
            fixture.library(
                """
                .text
                .p2align 6
                .cfi_startproc
                .cfi_escape \(escaped)
                \(code)
                .cfi_endproc
                """, target)
        ).rows
    }

    private func row(_ at: Int, cfa: String = "rsp+8", fp: String = "rbp", ra: String = "*(CFA-8)") -> String {
        "+\(String(at, radix: 16)) CFA = \(cfa), rbp = \(fp), ra = \(ra)"
    }

    @Test func primaryInstructions() throws {
        // advance_loc 2; def_cfa_offset 16; offset rbp, 2; advance_loc 5 (63 would leave the function); restore rbp
        #expect(
            try x86_64("0x42, 0x0e, 16, 0x86, 2, 0x45, 0xc6")
                == [row(0), row(2, cfa: "rsp+16", fp: "*(CFA-16)"), row(7, cfa: "rsp+16")])
    }

    @Test(arguments: [("0x02, 9", 9), ("0x03, 9, 0", 9), ("0x04, 9, 0, 0, 0", 9), ("0x1d, 9, 0, 0, 0, 0, 0, 0, 0", 9)])
    func widerAdvances(_ advance: String, _ at: Int) throws {
        #expect(try x86_64("\(advance), 0x0e, 16") == [row(0), row(at, cfa: "rsp+16")])
    }

    @Test(arguments: [
        ("0x00", "rsp+8", "rbp", "*(CFA-8)"),
        ("0x05, 6, 2", "rsp+8", "*(CFA-16)", "*(CFA-8)"),  // offset_extended
        ("0x86, 2, 0x06, 6", "rsp+8", "rbp", "*(CFA-8)"),  // restore_extended
        ("0x07, 6", "rsp+8", "undefined", "*(CFA-8)"),
        ("0x08, 6", "rsp+8", "rbp", "*(CFA-8)"),  // same_value
        ("0x0c, 6, 16", "rbp+16", "rbp", "*(CFA-8)"),  // def_cfa
        ("0x0d, 6", "rbp+8", "rbp", "*(CFA-8)"),  // def_cfa_register
        ("0x0e, 24", "rsp+24", "rbp", "*(CFA-8)"),  // def_cfa_offset
        ("0x0f, 3, 0x77, 0x18, 0x06", "*(rsp+24)", "rbp", "*(CFA-8)"),  // def_cfa_expression
        ("0x10, 6, 2, 0x77, 0x10", "rsp+8", "*(rsp+16)", "*(CFA-8)"),  // expression
        ("0x11, 6, 0x7e", "rsp+8", "*(CFA+16)", "*(CFA-8)"),  // offset_extended_sf
        ("0x12, 6, 0x7e", "rbp+16", "rbp", "*(CFA-8)"),  // def_cfa_sf
        ("0x13, 0x7d", "rsp+24", "rbp", "*(CFA-8)"),  // def_cfa_offset_sf
        ("0x14, 6, 2", "rsp+8", "CFA-16", "*(CFA-8)"),  // val_offset
        ("0x15, 6, 0x7e", "rsp+8", "CFA+16", "*(CFA-8)"),  // val_offset_sf
        ("0x16, 6, 2, 0x77, 0x10", "rsp+8", "rsp+16", "*(CFA-8)"),  // val_expression
        ("0x2e, 0x80, 1", "rsp+8", "rbp", "*(CFA-8)"),  // GNU_args_size
        ("0x2f, 6, 2", "rsp+8", "*(CFA+16)", "*(CFA-8)"),  // GNU_negative_offset_extended
        // def_cfa and expressions with negative numbers of ten bytes, as LLVM and gas before 2.21 write them.
        ("0x0c, 6, 0x90, 255, 255, 255, 255, 255, 255, 255, 255, 1", "rbp-112", "rbp", "*(CFA-8)"),
        ("0x16, 6, 11, 0x77, 0xf9, 255, 255, 255, 255, 255, 255, 255, 255, 1", "rsp+8", "rsp-7", "*(CFA-8)"),
        ("0x16, 6, 13, 0x77, 16, 0x23, 0xf8, 255, 255, 255, 255, 255, 255, 255, 255, 1", "rsp+8", "rsp+8", "*(CFA-8)"),
        ("0x30, 6, 16, 0", "rbp+16", "rbp", "*(CFA-8)"),  // LLVM_def_aspace_cfa
        ("0x31, 6, 0x7e, 0", "rbp+16", "rbp", "*(CFA-8)"),  // LLVM_def_aspace_cfa_sf
    ])
    func extendedInstructions(_ escaped: String, _ cfa: String, _ fp: String, _ ra: String) throws {
        #expect(try x86_64(escaped) == [row(0, cfa: cfa, fp: fp, ra: ra)])
    }

    @Test func registerRuleOfTheReturnAddress() throws {
        #expect(try x86_64("0x09, 16, 5") == [row(0, ra: "rdi") + " (needs live registers)"])
    }

    @Test func unfactoredAndFactoredOffsets() throws {
        // def_cfa and def_cfa_offset have bytes, their _sf forms multiples of the data alignment factor, -8.
        #expect(try x86_64("0x0c, 7, 24, 0x41, 0x12, 7, 0x7d") == [row(0, cfa: "rsp+24")])
        #expect(try x86_64("0x0e, 24, 0x41, 0x13, 0x7d") == [row(0, cfa: "rsp+24")])
    }

    // MARK: Signing of return addresses

    @Test func negateRAStateIsGNUWindowSaveElsewhere() throws {
        #expect(try aarch64("0x2d") == ["+0 CFA = sp, x29 = x29, ra = x30 (ra signed, needs live registers)"])
        #expect(try x86_64("0x2d") == ["+0 unknown: unknown CFA instruction: the rest of the FDE can't be decoded"])
    }

    @Test func negateRAStateWithPC() throws {
        // The modifiers don't matter, because the authentication code is only stripped.
        #expect(try aarch64("0x2c") == aarch64("0x2d"))
        #expect(try aarch64("0x2c, 0x44, 0x2c") == aarch64("0x2d, 0x44, 0x2d"))
    }

    @Test func setRAState() throws {
        #expect(try aarch64("0x2b, 1, 0") == aarch64("0x2d"))
        #expect(try aarch64("0x2b, 2, 0") == aarch64("0x2c"))
        #expect(try aarch64("0x2d, 0x2b, 0, 0") == ["+0 CFA = sp, x29 = x29, ra = x30 (needs live registers)"])
    }

    // MARK: States

    @Test func rememberedStatesKeepRulesButNotTheLocation() throws {
        #expect(
            try x86_64("0x0a, 0x41, 0x0c, 6, 16, 0x86, 2, 0x41, 0x0b")
                == [row(0), row(1, cfa: "rbp+16", fp: "*(CFA-16)"), row(2)])
    }

    @Test func rememberedStatesKeepTheSigningState() throws {
        let plain = "CFA = sp, x29 = x29, ra = x30 (needs live registers)"
        let signed = "CFA = sp, x29 = x29, ra = x30 (ra signed, needs live registers)"
        #expect(try aarch64("0x0a, 0x44, 0x2d, 0x44, 0x0b") == ["+0 \(plain)", "+4 \(signed)", "+8 \(plain)"])
    }

    @Test func deeplyRememberedStates() throws {
        let deep = Array(repeating: "0x0a", count: 40).joined(separator: ", ")
        let back = Array(repeating: "0x0b", count: 40).joined(separator: ", ")
        #expect(try x86_64("\(deep), 0x0e, 16, 0x41, \(back)") == [row(0, cfa: "rsp+16"), row(1)])
    }

    @Test func unbalancedRememberIsLegal() throws {
        #expect(try x86_64("0x0a, 0x0a, 0x41, 0x0e, 16, 0x41, 0x0b") == [row(0), row(1, cfa: "rsp+16"), row(2)])
    }

    @Test func underflowIsAnErrorOfThatFDE() throws {
        let invalid = "unknown: a CFA instruction is invalid in its context"
        #expect(
            try x86_64("0x0a, 0x41, 0x0e, 16, 0x41, 0x0b, 0x41, 0x0b") == [
                row(0), row(1, cfa: "rsp+16"), row(2), "+3 \(invalid)",
            ])
    }

    @Test func restoreWithoutARuleOfTheCIEIsUnspecified() throws {
        // Unspecified means the ABI's default, the register's own value, not undefined.
        #expect(try x86_64("0x07, 6, 0x41, 0xc6") == [row(0, fp: "undefined"), row(1)])
    }

    @Test(arguments: ["0x0e, 16", "0x0d, 6"])
    func changingAnExpressionsCFAIsInvalid(_ change: String) throws {
        #expect(
            try x86_64("0x0f, 2, 0x77, 8, 0x41, \(change)")
                == [row(0), "+1 unknown: a CFA instruction is invalid in its context"])
    }

    @Test func unknownOpcodePoisonsTheRestOfItsFDE() throws {
        let fixture = try Fixture()
        let path = try fixture.library(
            """
            .text
            .p2align 6
            .cfi_startproc
            .cfi_escape 0x41, 0x0e, 16, 0x41, 0x3f, 0x0e, 24
            .fill 64, 1, 0x90
            .cfi_endproc
            .cfi_startproc
            .fill 64, 1, 0x90
            .cfi_endproc
            """)
        #expect(
            try CompiledImage(path).rows == [
                row(0), row(1, cfa: "rsp+16"),
                "+2 unknown: unknown CFA instruction: the rest of the FDE can't be decoded",
                row(64),
            ])
    }

    // MARK: Locations

    @Test func advanceByZeroLastRowWins() throws {
        #expect(try x86_64("0x0e, 16, 0x40, 0x0e, 24, 0x02, 0, 0x0e, 32") == [row(0, cfa: "rsp+32")])
    }

    @Test func rowsAreClippedToTheFDE() throws {
        #expect(try x86_64("0x02, 63, 0x0e, 16, 0x41, 0x0e, 24") == [row(0), row(63, cfa: "rsp+16")])
    }

    @Test func nopOnlyFDEHasTheCIEsRow() throws {
        #expect(try x86_64("0, 0, 0, 0, 0") == [row(0)])
    }

    // MARK: Expressions

    @Test func registersExpressionsStartWithTheCFA() throws {
        // expression and val_expression: plus_uconst adds to the CFA, which is initially on the stack.
        #expect(try x86_64("0x10, 6, 2, 0x23, 8") == [row(0, fp: "*(CFA+8)")])
        #expect(try x86_64("0x16, 6, 2, 0x23, 8") == [row(0, fp: "CFA+8")])
    }

    @Test func theCFAsExpressionStartsWithNothing() throws {
        #expect(
            try x86_64("0x0f, 2, 0x23, 8") == ["+0 unknown: an expression is truncated or leaves no value"])
    }
}
