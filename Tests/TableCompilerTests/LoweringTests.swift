import TestFixtures
import Testing
import UnwindTable

/// The rules that rows of assembled functions are lowered to. A function has 16 bytes, and its CIE is the ABI's usual
/// one.
@Suite struct LoweringTests {
    /// A function of 16 one-byte instructions whose first row `cfi` changes.
    private static func x86_64(_ cfi: String, start: String = ".cfi_startproc") throws -> [String] {
        let fixture = try Fixture()
        return try CompiledImage(
            fixture.library(
                """
                .text
                .p2align 4
                f:
                \(start)
                \(cfi)
                .fill 16, 1, 0x90
                .cfi_endproc
                """)
        ).rules
    }

    private static func aarch64(_ body: String) throws -> [String] {
        let fixture = try Fixture()
        return try CompiledImage(
            fixture.library(
                """
                .text
                .p2align 4
                f:
                .cfi_startproc
                \(body)
                nop
                .cfi_endproc
                """, .aarch64)
        ).rules
    }

    private static let framePointerAndReturnAddress = "rbp = rbp, ra = *(CFA-8)"

    // MARK: x86-64

    @Test func aFunctionWithoutInstructionsHasTheCIEsRow() throws {
        #expect(try Self.x86_64("") == ["CFA = rsp+8, rbp = rbp, ra = *(CFA-8)"])
    }

    @Test func sigreturnFrame() throws {
        let cfi = """
            .cfi_signal_frame
            .cfi_escape 0x0f, 4, 0x77, 0xa0, 0x01, 0x06     # CFA = *(rsp+160)
            .cfi_escape 0x10, 6, 3, 0x77, 0xf8, 0x00        # rbp = *(rsp+120)
            .cfi_escape 0x10, 7, 3, 0x77, 0xa0, 0x01        # rsp = *(rsp+160)
            .cfi_escape 0x10, 16, 3, 0x77, 0xa8, 0x01       # ra = *(rsp+168)
            """
        #expect(try Self.x86_64(cfi) == ["CFA = *(rsp+160), rbp = *(rsp+120), ra = *(rsp+168) (signal frame)"])
    }

    @Test func lazyPLTExpressionIsAProgram() throws {
        let cfi = ".cfi_escape 0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22"
        #expect(
            try Self.x86_64(cfi)
                == ["CFA = rsp+8 + (((pc & 15) >= 11) << 3), \(Self.framePointerAndReturnAddress)"])
    }

    @Test func stackRealignmentReadsTheCFAFromTheFrame() throws {
        let cfi = """
            .cfi_escape 0x0f, 3, 0x76, 0x78, 0x06           # CFA = *(rbp-8)
            .cfi_escape 0x10, 6, 2, 0x76, 0x00              # rbp = *(rbp)
            """
        #expect(try Self.x86_64(cfi) == ["CFA = *(rbp-8), rbp = *(rbp), ra = *(CFA-8)"])
    }

    @Test(arguments: [
        // A rule can have addends of 8 to 56; others need a program with the same meaning.
        (8, "*(rsp+24)+8"), (56, "*(rsp+24)+56"), (64, "*(rsp+24) + 64"), (4, "*(rsp+24) + 4"),
    ])
    func cfaReadFromMemoryPlusAddend(addend: Int, expected: String) throws {
        let cfi = ".cfi_escape 0x0f, 5, 0x77, 24, 0x06, 0x23, \(addend)"
        #expect(try Self.x86_64(cfi) == ["CFA = \(expected), \(Self.framePointerAndReturnAddress)"])
    }

    @Test func cfaReadFromMemoryThroughAnIndexIsAProgram() throws {
        // *(rsp+8+r9*8)+8, as in hand-written cryptography
        let cfi = ".cfi_escape 0x0f, 10, 0x77, 8, 0x79, 0, 0x38, 0x1e, 0x22, 0x06, 0x23, 8"
        #expect(
            try Self.x86_64(cfi)
                == ["CFA = *(rsp+8 + (r9 * 8)) + 8, \(Self.framePointerAndReturnAddress) (needs live registers)"])
    }

    @Test func longjmpLeavesAnotherStackPointerThanTheCFA() throws {
        let cfi = """
            .cfi_def_cfa rdi, 0
            .cfi_register rsp, r8
            .cfi_register rbp, r9
            .cfi_register rip, rdx
            """
        #expect(try Self.x86_64(cfi) == ["CFA = rdi, rsp = r8, rbp = r9, ra = rdx (needs live registers)"])
    }

    @Test func stackPointerAtTheCFAIsNoRuleOfItsOwn() throws {
        #expect(try Self.x86_64(".cfi_escape 0x14, 7, 0") == ["CFA = rsp+8, rbp = rbp, ra = *(CFA-8)"])  // val_offset
    }

    @Test func vforkKeepsTheReturnAddressInARegister() throws {
        let cfi = """
            .cfi_def_cfa_offset 0
            .cfi_register rip, rdi
            """
        #expect(try Self.x86_64(cfi) == ["CFA = rsp, rbp = rbp, ra = rdi (needs live registers)"])
    }

    @Test func undefinedReturnAddressIsTheEndOfTheStack() throws {
        #expect(try Self.x86_64(".cfi_undefined rip") == ["end of stack"])
    }

    @Test(arguments: [
        (".cfi_same_value rbp", "rbp"), (".cfi_undefined rbp", "undefined"), (".cfi_offset rbp, -16", "*(CFA-16)"),
        (".cfi_register rbp, r10", "r10"), (".cfi_offset rbp, -16\n.cfi_restore rbp", "rbp"),
        (".cfi_escape 0x14, 6, 2", "CFA-16"), (".cfi_escape 0x16, 6, 2, 0x76, 8", "rbp+8"),
        (".cfi_escape 0x16, 6, 3, 0x76, 8, 0x06", "*(rbp+8)"),
    ])
    func framePointer(cfi: String, expected: String) throws {
        let live = expected == "r10" ? " (needs live registers)" : ""
        #expect(try Self.x86_64(cfi) == ["CFA = rsp+8, rbp = \(expected), ra = *(CFA-8)\(live)"])
    }

    @Test func cfaFromAnotherRegisterNeedsItLive() throws {
        #expect(
            try Self.x86_64(".cfi_def_cfa rbx, 16") == ["CFA = rbx+16, rbp = rbp, ra = *(CFA-8) (needs live registers)"]
        )
    }

    @Test func negativeAndWideOffsetsAreKept() throws {
        #expect(
            try Self.x86_64(".cfi_def_cfa_offset 0x40000010\n.cfi_offset rbp, -0x40000008")
                == ["CFA = rsp+1073741840, rbp = *(CFA-1073741832), ra = *(CFA-8)"])
        #expect(try Self.x86_64(".cfi_escape 0x13, 1") == ["CFA = rsp-8, rbp = rbp, ra = *(CFA-8)"])
    }

    @Test(arguments: [
        (".cfi_escape 0x0c, 7, 0x80, 0x80, 0x80, 0x80, 0x08", "an offset does not fit 32 bits"),  // 2^31
        (".cfi_escape 0x11, 6, 0x80, 0x80, 0x80, 0x80, 0x04", "an offset does not fit 32 bits"),
        (".cfi_escape 0x0f, 1, 0x9c", "an expression uses an operation that a bounded program can't contain"),
        (
            ".cfi_escape 0x0f, 5, 0x77, 8, 0x28, 0, 0",
            "an expression uses an operation that a bounded program can't contain"
        ),
        (
            ".cfi_escape 0x0f, 5, 0x77, 8, 0x2f, 0xfb, 0xff",
            "an expression uses an operation that a bounded program can't contain"
        ),
        (
            ".cfi_escape 0x0f, 18, 0x77, 8" + String(repeating: ", 0x20", count: 16),
            "an expression needs more than 16 operations or 8 stack entries"
        ),
        (
            ".cfi_escape 0x0f, 9" + String(repeating: ", 0x30", count: 9),
            "an expression needs more than 16 operations or 8 stack entries"
        ),
        (".cfi_escape 0x0f, 3, 0x0e, 1, 2", "an expression is truncated or leaves no value"),
        (".cfi_escape 0x0f, 1, 0x22", "an expression is truncated or leaves no value"),
        (".cfi_escape 0x0f, 0", "an expression is truncated or leaves no value"),
        (".cfi_escape 0x0f, 2, 0x30, 0x13", "an expression is truncated or leaves no value"),
        (".cfi_escape 0x0f, 3, 0x92, 17, 0", "a rule needs a register that a table does not describe"),
        (".cfi_def_cfa 17, 8", "a rule needs a register that a table does not describe"),
        (".cfi_register rip, xmm0", "a rule needs a register that a table does not describe"),
        (".cfi_undefined rsp", "the caller's stack pointer has a rule that a table can't hold"),
        (".cfi_escape 0x3f", "unknown CFA instruction: the rest of the FDE can't be decoded"),
        (".cfi_escape 0x0b", "a CFA instruction is invalid in its context"),
        (".cfi_escape 0x0f, 2, 0x77, 8, 0x0e, 16", "a CFA instruction is invalid in its context"),
        (".cfi_same_value rip", "no instruction specifies the return address"),
    ])
    func whatCannotBeLoweredHasItsReason(cfi: String, reason: String) throws {
        #expect(try Self.x86_64(cfi) == ["unknown: \(reason)"])
    }

    @Test func longestAndDeepestProgramFits() throws {
        let longest = ".cfi_escape 0x0f, 17, 0x77, 8" + String(repeating: ", 0x20", count: 15)
        #expect(try !Self.x86_64(longest)[0].hasPrefix("unknown"))
        let deepest = ".cfi_escape 0x0f, 8" + String(repeating: ", 0x30", count: 8)
        #expect(try Self.x86_64(deepest) == ["CFA = 0, \(Self.framePointerAndReturnAddress)"])
    }

    @Test func withoutARuleForTheCFA() throws {
        #expect(
            try Self.x86_64(".cfi_offset rip, -8", start: ".cfi_startproc simple")
                == ["unknown: no instruction defined the CFA"])
        #expect(
            try Self.x86_64(".cfi_def_cfa rsp, 8", start: ".cfi_startproc simple")
                == ["unknown: no instruction specifies the return address"])
    }

    @Test func rowsBeforeAnUnknownInstructionStay() throws {
        let cfi = """
            .byte 0x55
            .cfi_def_cfa_offset 16
            .cfi_offset rbp, -16
            nop
            .cfi_escape 0x3f
            """
        #expect(
            try Self.x86_64(cfi) == [
                "CFA = rsp+8, rbp = rbp, ra = *(CFA-8)", "CFA = rsp+16, rbp = *(CFA-16), ra = *(CFA-8)",
                "unknown: unknown CFA instruction: the rest of the FDE can't be decoded",
            ])
    }

    @Test func rememberedStatesComeBack() throws {
        let cfi = """
            .cfi_remember_state
            nop
            .cfi_def_cfa rbp, 16
            .cfi_offset rbp, -16
            nop
            .cfi_restore_state
            """
        let initial = "CFA = rsp+8, rbp = rbp, ra = *(CFA-8)"
        #expect(try Self.x86_64(cfi) == [initial, "CFA = rbp+16, rbp = *(CFA-16), ra = *(CFA-8)", initial])
    }

    // MARK: aarch64

    private static let leaf = "CFA = sp, x29 = x29, ra = x30 (needs live registers)"

    @Test func leafFunctionHasItsReturnAddressInTheLinkRegister() throws {
        #expect(try Self.aarch64("") == [Self.leaf])
    }

    @Test func frameRecord() throws {
        let body = """
            stp x29, x30, [sp, #-32]!
            .cfi_def_cfa_offset 32
            .cfi_offset x29, -32
            .cfi_offset x30, -24
            mov x29, sp
            .cfi_def_cfa x29, 32
            """
        #expect(
            try Self.aarch64(body) == [
                Self.leaf, "CFA = sp+32, x29 = *(CFA-32), ra = *(CFA-24)",
                "CFA = x29+32, x29 = *(CFA-32), ra = *(CFA-24)",
            ])
    }

    @Test(arguments: ["", ".cfi_b_key_frame\n"])
    func signedReturnAddress(key: String) throws {
        let body =
            key + """
                paciasp
                .cfi_negate_ra_state
                stp x29, x30, [sp, #-16]!
                .cfi_def_cfa_offset 16
                .cfi_offset x29, -16
                .cfi_offset x30, -8
                ldp x29, x30, [sp], #16
                .cfi_def_cfa_offset 0
                .cfi_restore x29
                .cfi_restore x30
                autiasp
                .cfi_negate_ra_state
                """
        let signedLeaf = "CFA = sp, x29 = x29, ra = x30 (ra signed, needs live registers)"
        #expect(
            try Self.aarch64(body) == [
                Self.leaf, signedLeaf, "CFA = sp+16, x29 = *(CFA-16), ra = *(CFA-8) (ra signed)", signedLeaf, Self.leaf,
            ])
    }

    @Test func cfaScaledByTheVectorLength() throws {
        // CFA = sp + 16 + 8 * VG
        let body = ".cfi_escape 0x0f, 10, 0x8f, 16, 0x11, 8, 0x92, 0x2e, 0, 0x1e, 0x22, 0x96"
        #expect(try Self.aarch64(body) == ["unknown: an expression is scaled by the vector length (VG)"])
    }

    @Test func misalignedFunction() throws {
        let fixture = try Fixture()
        let path = try fixture.library(
            """
            .text
            .p2align 4
            good:
            .cfi_startproc
            nop
            .cfi_endproc
            .byte 0, 0
            bad:
            .cfi_startproc
            .fill 8, 1, 0
            .cfi_endproc
            """, .aarch64)
        let image = try CompiledImage(path)
        #expect(image.rules == [Self.leaf, "unknown: a row's address is not a multiple of the instruction size"])
        #expect(image.result.built.counts.badFDEs == 1)
    }
}
