import CallFrameInfo
import Testing

/// DWARF 5 §6.4.2 and vendors' instructions. The row after the usual CIE is `r7+8 r16=c-8`.
@Suite struct InstructionTests {
    @Test func primaryInstructionsCarryAnOperandInTheirOpcode() throws {
        let rows = try rows([0x86, 2, 0x44, 0x83, 3, 0x44, 0xc6])
        #expect(
            rows
                == complete([
                    "1000: r7+8 r6=c-16 r16=c-8",
                    "1004: r7+8 r3=c-24 r6=c-16 r16=c-8",
                    "1008: r7+8 r3=c-24 r6=unspecified r16=c-8",
                ]))
    }

    @Test(
        arguments: [
            ([0x00], "r7+8 r16=c-8"),  // nop
            ([0x05, 6, 2], "r7+8 r6=c-16 r16=c-8"),  // offset_extended
            ([0x83, 2, 0x06, 3], "r7+8 r3=unspecified r16=c-8"),  // restore_extended
            ([0x07, 6], "r7+8 r6=undefined r16=c-8"),  // undefined
            ([0x08, 6], "r7+8 r6=same r16=c-8"),  // same_value
            ([0x09, 6, 9], "r7+8 r6=r9 r16=c-8"),  // register
            ([0x0c, 6, 24], "r6+24 r16=c-8"),  // def_cfa
            ([0x0d, 6], "r6+8 r16=c-8"),  // def_cfa_register
            ([0x0e, 24], "r7+24 r16=c-8"),  // def_cfa_offset
            ([0x11, 6, 0x7e], "r7+8 r6=c+16 r16=c-8"),  // offset_extended_sf
            ([0x12, 6, 0x7d], "r6+24 r16=c-8"),  // def_cfa_sf
            ([0x13, 0x7d], "r7+24 r16=c-8"),  // def_cfa_offset_sf
            ([0x14, 6, 2], "r7+8 r6=v-16 r16=c-8"),  // val_offset
            ([0x15, 6, 0x7e], "r7+8 r6=v+16 r16=c-8"),  // val_offset_sf
        ] as [([UInt8], String)])
    func extendedInstructions(_ instructions: [UInt8], _ row: String) throws {
        #expect(try rows(instructions) == complete(["1000: " + row]))
    }

    @Test func expressionsAreKeptAsRangesOfTheSection() throws {
        // CIE: 4 length, 4 id, 5 fields, 5 instructions. FDE: 4 length, 4 pointer, 16 range.
        let start = 18 + 24
        let rows = try rows([0x0f, 2, 0x77, 8, 0x10, 6, 2, 0x76, 0, 0x16, 3, 1, 0x30])
        #expect(
            rows
                == complete([
                    "1000: exp\(start + 2..<start + 4) r3=vexp\(start + 12..<start + 13) r6=exp\(start + 7..<start + 9) r16=c-8"
                ]))
    }

    @Test func fourWidthsOfAdvance() throws {
        let rows = try rows([0x42, 0x02, 0x10, 0x03, 0x20, 0x00, 0x04, 0x40, 0x00, 0x00, 0x00])
        #expect(rows.rows.map { $0.prefix(4) } == ["1000", "1002", "1012", "1032", "1072"])
    }

    @Test func mipsAdvanceLoc8TakesEightBytes() throws {
        let rows = try rows([0x1d, 0x10, 0, 0, 0, 0, 0, 0, 0, 0x0e, 16])
        #expect(rows == complete(["1000: r7+8 r16=c-8", "1010: r7+16 r16=c-8"]))
    }

    @Test func windowSaveNegatesTheSigningStateOnAArch64() throws {
        let rows = try rows([0x2d, 0x44, 0x2d], initial: [0x0c, 31, 0], machine: aarch64)
        #expect(rows == complete(["1000: r31+0 sign=state1", "1004: r31+0 sign=unspecified"]))
    }

    @Test func windowSaveIsUnknownOnX86() throws {
        let rows = try rows([0x44, 0x2d])
        #expect(
            rows
                == Rows(
                    rows: ["1000: r7+8 r16=c-8"], outcome: .poisoned(.unknownInstruction, location: 0x1004, offset: 43))
        )
    }

    @Test func negateWithPCMixesThePCIn() throws {
        let rows = try rows([0x2c, 0x44, 0x2c], initial: [0x0c, 31, 0], machine: aarch64)
        #expect(rows == complete(["1000: r31+0 sign=state3", "1004: r31+0 sign=unspecified"]))
    }

    @Test(arguments: [(0, "unspecified"), (1, "state1"), (2, "state3"), (3, "undefined")] as [(UInt8, String)])
    func setRAStateTakesAStateAndAnOffset(_ state: UInt8, _ rule: String) throws {
        let rows = try rows([0x2b, state, 0x7c, 0x44], initial: [0x0c, 31, 0], machine: aarch64)
        #expect(rows == complete(["1000: r31+0 sign=\(rule)", "1004: r31+0 sign=\(rule)"]))
    }

    @Test func argsSizeSaysNothingOfRegisters() throws {
        #expect(try rows([0x2e, 0x90, 0x01, 0x0e, 16]) == complete(["1000: r7+16 r16=c-8"]))
    }

    @Test func negativeOffsetExtendedReversesTheSign() throws {
        #expect(try rows([0x2f, 6, 2]) == complete(["1000: r7+8 r6=c+16 r16=c-8"]))
    }

    @Test func addressSpaceZeroIsTheUsualOne() throws {
        #expect(try rows([0x30, 6, 24, 0]) == complete(["1000: r6+24 r16=c-8"]))
        #expect(try rows([0x31, 6, 0x7d, 0]) == complete(["1000: r6+24 r16=c-8"]))
        #expect(try rows([0x30, 6, 24, 1]).error == .unsupportedAddressSpace)
    }

    @Test func defCFAIsUnfactoredAndItsSFFormsAreFactored() throws {
        #expect(try rows([0x0c, 6, 24]).rows == ["1000: r6+24 r16=c-8"])
        #expect(try rows([0x12, 6, 24]).rows == ["1000: r6-192 r16=c-8"])
    }

    @Test func setLocIsAbsolute() throws {
        let rows = try rows([0x01, 0x20, 0x10, 0, 0, 0, 0, 0, 0, 0x0e, 16])
        #expect(rows == complete(["1000: r7+8 r16=c-8", "1020: r7+16 r16=c-8"]))
    }

    @Test func setLocUsesTheCIEsPointerEncoding() throws {
        var builder = FrameBuilder(address: 0x1000)
        let cie = builder.cie(augmentation: "zR", augmentationData: [0x1b])
        // pcrel sdata4: relative to the range's own address, 8 bytes after the FDE's start.
        let place = UInt64(0x1000 + builder.bytes.count + 8)
        let fde = builder.fde(
            cie: cie, range: [0, 0, 0, 0, 0x40, 0, 0, 0], augmentationData: [],
            instructions: [0x01, 0x10, 0, 0, 0, 0x0e, 16])
        let target = place + 10 + 0x10
        #expect(try builder.rows(fde).rows.last == "\(String(target, radix: 16)): r7+16 r16=c-8")
    }

    @Test func rememberRestoreKeepsCFAButNotLocation() throws {
        let rows = try rows([0x0e, 16, 0x86, 2, 0x41, 0x0a, 0x0c, 6, 32, 0xc6, 0x41, 0x0b, 0x41, 0x0e, 8])
        #expect(
            rows
                == complete([
                    "1000: r7+16 r6=c-16 r16=c-8",
                    "1001: r6+32 r6=unspecified r16=c-8",
                    "1002: r7+16 r6=c-16 r16=c-8",
                    "1003: r7+8 r6=c-16 r16=c-8",
                ]))
    }

    @Test func rememberRestoreKeepsTheSigningState() throws {
        let rows = try rows([0x2d, 0x0a, 0x44, 0x2d, 0x44, 0x0b], initial: [0x0c, 31, 0], machine: aarch64)
        #expect(
            rows.rows == [
                "1000: r31+0 sign=state1", "1004: r31+0 sign=unspecified", "1008: r31+0 sign=state1",
            ])
    }

    @Test func deepRememberStack() throws {
        let depth = 10_000
        var instructions: [UInt8] = []
        for _ in 0..<depth { instructions += [0x0a, 0x0e, 16] }
        instructions += [UInt8](repeating: 0x0b, count: depth)
        #expect(try rows(instructions) == complete(["1000: r7+8 r16=c-8"]))
    }

    @Test func hostileRememberDepthIsRefused() throws {
        #expect(try rows([UInt8](repeating: 0x0a, count: 2_000_000)).error == .rememberStateTooDeep)
    }

    @Test func unbalancedRememberIsLegal() throws {
        #expect(try rows([0x0a, 0x0a, 0x41, 0x0b, 0x0e, 16]).outcome == .complete)
    }

    @Test func restoreStateUnderflowPoisonsTheRest() throws {
        let rows = try rows([0x41, 0x0b, 0x41, 0x0e, 16])
        #expect(rows.rows == ["1000: r7+8 r16=c-8"])
        #expect(rows.error == .restoreStateUnderflow)
        #expect(rows.poisonedFrom == 0x1001)
    }

    @Test func rememberedStatesOfOneFDEAreNotTheNextOnes() throws {
        var builder = FrameBuilder()
        let cie = builder.cie()
        builder.fde(cie: cie, instructions: [0x0a])
        builder.fde(cie: cie, start: 0x2000, instructions: [0x0b])
        let text = listRows(builder)
        #expect(text.contains("DW_CFA_restore_state without a remembered state; nothing is known from 0x2000 on"))
    }

    @Test func restoreWithoutCIERuleIsUnspecified() throws {
        #expect(
            try rows([0x07, 6, 0x41, 0xc6]).rows == [
                "1000: r7+8 r6=undefined r16=c-8", "1001: r7+8 r6=unspecified r16=c-8",
            ])
    }

    @Test func restoreGivesTheCIEsRuleBack() throws {
        #expect(
            try rows([0x07, 16, 0x41, 0xd0]).rows == [
                "1000: r7+8 r16=undefined", "1001: r7+8 r16=c-8",
            ])
    }

    @Test(arguments: [[0x0e, 16], [0x0d, 6], [0x13, 0x7e]] as [[UInt8]])
    func changingPartOfAnExpressionCFAIsInvalid(_ change: [UInt8]) throws {
        let rows = try rows([0x0f, 1, 0x30, 0x41] + change)
        #expect(rows.rows.count == 1)
        #expect(rows.error == .cfaNotRegisterOffset)
    }

    @Test func unknownOpcodePoisonsOnlyTheRestOfItsFDE() throws {
        var builder = FrameBuilder()
        let cie = builder.cie()
        let bad = builder.fde(cie: cie, instructions: [0x44, 0x0e, 16, 0x44, 0x3f, 0x44])
        let good = builder.fde(cie: cie, start: 0x2000, instructions: [0x44, 0x0e, 16])
        let rows = try builder.rows(bad)
        #expect(rows.rows == ["1000: r7+8 r16=c-8", "1004: r7+16 r16=c-8"])
        #expect(rows.outcome == .poisoned(.unknownInstruction, location: 0x1008, offset: bad + 28))
        #expect(try builder.rows(good) == complete(["2000: r7+8 r16=c-8", "2004: r7+16 r16=c-8"]))
    }

    @Test func advanceByZeroLastRowWins() throws {
        #expect(
            try rows([0x44, 0x0e, 16, 0x40, 0x0e, 24])
                == complete([
                    "1000: r7+8 r16=c-8", "1004: r7+24 r16=c-8",
                ]))
    }

    @Test func backwardSetLocIsRejected() throws {
        let rows = try rows([0x48, 0x01, 0x04, 0x10, 0, 0, 0, 0, 0, 0])
        #expect(rows.rows == ["1000: r7+8 r16=c-8"])
        #expect(rows.error == .backwardSetLocation)
    }

    @Test func rowsAreClippedToTheFDE() throws {
        #expect(
            try rows([0x02, 0xff, 0x0e, 16, 0x41, 0x0e, 24, 0x3f])
                == complete([
                    "1000: r7+8 r16=c-8", "10ff: r7+16 r16=c-8",
                ]))
    }

    @Test func advanceBeyondTheAddressSpaceEndsTheRows() throws {
        var builder = FrameBuilder()
        let cie = builder.cie(code: uleb(.max))
        let fde = builder.fde(cie: cie, start: 0xffff_ffff_ffff_f000, instructions: [0x42, 0x0e, 16])
        #expect(try builder.rows(fde).rows == ["fffffffffffff000: r7+8 r16=c-8"])
    }

    @Test func alignmentFactorsOfZeroExist() throws {
        var builder = FrameBuilder()
        let cie = builder.cie(code: [0], data: [0], instructions: [0x0c, 7, 8])
        let fde = builder.fde(cie: cie, instructions: [0x44, 0x86, 2])
        #expect(try builder.rows(fde) == complete(["1000: r7+8 r6=c+0"]))
    }

    @Test func nopOnlyFDEYieldsTheCIEsRow() throws {
        #expect(try rows([0, 0, 0]) == complete(["1000: r7+8 r16=c-8"]))
        #expect(try rows([]) == complete(["1000: r7+8 r16=c-8"]))
    }

    @Test func ulebLongerThan64Bits() throws {
        // Padded numbers are valid, but not more than 64 bits.
        #expect(try rows([0x0e, 0x90] + [UInt8](repeating: 0x80, count: 20) + [0]).rows == ["1000: r7+16 r16=c-8"])
        #expect(try rows([0x0e] + [UInt8](repeating: 0xff, count: 9) + [0x02]).error == .numberTooWide)
        #expect(try rows([0x13, 0xf0] + [UInt8](repeating: 0xff, count: 20) + [0x7f]).rows == ["1000: r7+128 r16=c-8"])
        #expect(try rows([0x13] + [UInt8](repeating: 0xff, count: 9) + [0x02]).error == .numberTooWide)
        // Ones above bit 63 are only valid if all bits from bit 63 on are ones.
        let full = [UInt8](repeating: 0x80, count: 9)
        for opcode: UInt8 in [0x0e, 0x13] {
            for end: [UInt8] in [[0x7e], [0xff, 0x00], [0x81, 0x01], [0xff, 0x7e]] {
                #expect(try rows([opcode] + full + end).error == .numberTooWide)
            }
        }
    }

    /// -112 as an unsigned 64-bit number, as LLVM writes it, and the same sign-extended to 11 bytes.
    private static let negative112: [[UInt8]] = [
        [0x90, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        [0x90, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        [0x90, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    ]

    @Test(arguments: negative112)
    func unsignedOperandsAreTwosComplement(_ bytes: [UInt8]) throws {
        #expect(try rows([0x0e] + bytes).rows == ["1000: r7-112 r16=c-8"])
        #expect(try rows([0x0c, 6] + bytes).rows == ["1000: r6-112 r16=c-8"])
        #expect(try rows([0x30, 6] + bytes + [0]).rows == ["1000: r6-112 r16=c-8"])
        // Multiplied by -8.
        #expect(try rows([0x86] + bytes).rows == ["1000: r7+8 r6=c+896 r16=c-8"])
        #expect(try rows([0x05, 6] + bytes).rows == ["1000: r7+8 r6=c+896 r16=c-8"])
        #expect(try rows([0x14, 6] + bytes).rows == ["1000: r7+8 r6=v+896 r16=c-8"])
        #expect(try rows([0x2f, 6] + bytes).rows == ["1000: r7+8 r6=c-896 r16=c-8"])
    }

    @Test(arguments: negative112)
    func signedOperandsOfTenBytesMayEndInZeros(_ bytes: [UInt8]) throws {
        // gas before 2.21 wrote signed numbers in this way.
        #expect(try rows([0x13] + bytes).rows == ["1000: r7+896 r16=c-8"])
        #expect(try rows([0x11, 6] + bytes).rows == ["1000: r7+8 r6=c+896 r16=c-8"])
    }

    @Test func signedOperandsOfNineBytesHaveTheirSignInBit62() throws {
        let nine = [UInt8](repeating: 0xff, count: 8)
        #expect(try rows([0x13, 0x90] + nine.dropFirst() + [0x7f]).rows == ["1000: r7+896 r16=c-8"])
    }

    @Test func defCFARegisterWithoutDefCFAHasOffsetZero() throws {
        #expect(try rows([0x0d, 2, 0x44, 0x0e, 16], initial: []) == complete(["1000: r2+0", "1004: r2+16"]))
        #expect(try rows([0x0e, 16], initial: []).error == .cfaNotRegisterOffset)
    }

    @Test(arguments: [(2, 4), (18, 4), (43, 8)] as [(UInt16, Int)])
    func windowSaveOnSPARCSavesLocalsAndIns(_ machine: UInt16, _ word: Int) throws {
        var builder = FrameBuilder(machine: machine, addressSize: word, isBigEndian: true)
        let cie = builder.cie(returnAddress: [15], instructions: [0x0c, 14, 0])
        let fde = builder.fde(cie: cie, instructions: [0x41, 0x0d, 30, 0x2d, 0x09, 15, 31])
        let saved = (0..<16).map { " r\(16 + $0)=c+\($0 * word)" }.joined()
        #expect(try builder.rows(fde) == complete(["1000: r14+0", "1001: r30+0 r15=r31" + saved]))
    }

    @Test func offsetsThatDoNotFitAreNeverCutOff() throws {
        #expect(try rows([0x05, 6] + uleb(1 << 60)).rows == ["1000: r7+8 r6=wide r16=c-8"])
        #expect(try rows([0x05, 6] + uleb(1 << 63)).rows == ["1000: r7+8 r6=wide r16=c-8"])
    }

    @Test func truncatedOperandPoisonsTheRest() throws {
        #expect(try rows([0x44, 0x0c, 7]).error == .truncated)
        #expect(try rows([0x44, 0x0f, 3, 0x30]).error == .truncated)
    }

    @Test func registersMayHaveAnyNumber() throws {
        let rows = try rows([0x05] + uleb(.max) + [2, 0x05] + uleb(1000) + [3])
        #expect(rows.rows == ["1000: r7+8 r16=c-8 r1000=c-24 r\(UInt64.max)=c-16"])
    }
}
