import ELF
import TestFixtures
import Testing
import UnwindTable

/// CIEs and FDEs in all their forms (LSB Core, DWARF 5 §6.4.1), as hand-written sections of assembled executables.
@Suite struct ChecklistEntryTests {
    /// A CIE and an FDE for `f`, which has 64 bytes at 0x401000: CFA = rsp+8, and rsp+16 from +1 on.
    struct Entries {
        var version = 1
        var augmentation = ""
        /// Directives of the CIE between the augmentation and the alignment factors, and between the return address
        /// column and the instructions.
        var behindAugmentation = ""
        var augmentationData = ""
        var codeAlignment = 1
        var returnAddress = ".byte 16"
        var cieInstructions = "0x0c, 7, 8, 0x90, 1"
        /// Directives for start and length.
        var range = ".quad f\n.quad 64"
        /// The augmentation data with its size, for augmentations with `z`.
        var fdeData = ""
        var instructions = "0x41, 0x0e, 16"
        var is64Bit = false
        var isDebugFrame = false
        var label = ""

        private func length(_ name: String) -> String {
            (is64Bit ? ".long 0xffffffff\n.quad" : ".long")
                + " \(label)\(name)_end - \(label)\(name)_id\n\(label)\(name)_id:"
        }

        var cie: String {
            let word = is64Bit ? ".quad" : ".long"
            return """
                \(label)cie:
                \(length("cie"))
                \(word) \(isDebugFrame ? "-1" : "0")
                .byte \(version)
                .asciz "\(augmentation)"
                \(behindAugmentation)
                .uleb128 \(codeAlignment)
                .sleb128 -8
                \(returnAddress)
                \(augmentationData)
                .byte \(cieInstructions)
                .balign 8, 0
                \(label)cie_end:

                """
        }

        var fde: String {
            let word = is64Bit ? ".quad" : ".long"
            return """
                \(length("fde"))
                \(word) \(isDebugFrame ? "\(label)cie - section" : "\(label)fde_id - \(label)cie")
                \(range)
                \(fdeData)
                .byte \(instructions)
                .balign 8, 0
                \(label)fde_end:

                """
        }
    }

    private let fixture: Fixture
    init() throws { fixture = try Fixture() }

    private func rows(_ section: String, isDebugFrame: Bool = false, bad: UInt32 = 0) throws -> [String] {
        let path = try fixture.program(
            """
            .text
            .globl _start
            _start:
            f:
            .fill 64, 1, 0x90
            .section .cfi, "a", @progbits
            section:
            \(section)
            """, section: isDebugFrame ? ".debug_frame" : ".eh_frame")
        let image = try CompiledImage(path)
        #expect(image.result.built.counts.badFDEs == bad)
        return image.rows
    }

    private func rows(_ entries: Entries) throws -> [String] {
        try rows(entries.cie + entries.fde, isDebugFrame: entries.isDebugFrame)
    }

    private static let usual = [
        "+0 CFA = rsp+8, rbp = rbp, ra = *(CFA-8)", "+1 CFA = rsp+16, rbp = rbp, ra = *(CFA-8)",
    ]

    @Test(arguments: [1, 3])
    func versions(_ version: Int) throws {
        #expect(try rows(Entries(version: version)) == Self.usual)
    }

    @Test(arguments: [false, true])
    func version4HasAddressAndSegmentSizes(isDebugFrame: Bool) throws {
        let entries = Entries(version: 4, behindAugmentation: ".byte 8, 0", isDebugFrame: isDebugFrame)
        #expect(try rows(entries) == Self.usual)
    }

    @Test func returnAddressColumnIsAByteAndLaterULEB() throws {
        // A CIE with an unusual return address column: that column's rule is for the return address.
        let expected = ["+0 CFA = rsp+8, rbp = rbp, ra = *(CFA-24)"]
        var entries = Entries(returnAddress: ".byte 17", cieInstructions: "0x0c, 7, 8, 0x91, 3", instructions: "0")
        #expect(try rows(entries) == expected)
        entries.version = 3
        entries.returnAddress = ".byte 0x91, 0"
        #expect(try rows(entries) == expected)
    }

    // MARK: Augmentations

    @Test(arguments: [
        ("zR", ".byte 1, 0x1b"), ("zPR", ".byte 6, 0x1b\n.long f - .\n.byte 0x1b"),
        ("zPLR", ".byte 15, 0x03\n.long f\n.byte 0x1b, 0x1b\n.fill 8, 1, 0"), ("zRX", ".byte 3, 0x1b, 1, 2"),
        ("zRBG", ".byte 1, 0x1b"),
    ])
    func augmentationsWithSizes(augmentation: String, data: String) throws {
        let entries = Entries(
            augmentation: augmentation, augmentationData: data, range: ".long f - .\n.long 64", fdeData: ".byte 0")
        #expect(try rows(entries) == Self.usual)
    }

    @Test func signalFrame() throws {
        let entries = Entries(
            augmentation: "zRS", augmentationData: ".byte 1, 0x1b", range: ".long f - .\n.long 64", fdeData: ".byte 0",
            instructions: "0")
        #expect(try rows(entries) == ["+0 CFA = rsp+8, rbp = rbp, ra = *(CFA-8) (signal frame)"])
    }

    @Test func unknownLetterBeforeTheEncodingCostsThatCIE() throws {
        // The size of the unknown letter's data is unknown, and therefore the offset of the encoding.
        let bad = Entries(augmentation: "q", range: ".quad f + 64\n.quad 64", label: "bad_")
        let good = Entries()
        #expect(try rows(bad.cie + bad.fde + good.cie + good.fde, bad: 1) == Self.usual)
    }

    @Test func ehAugmentationHasAPointer() throws {
        #expect(try rows(Entries(augmentation: "eh", behindAugmentation: ".quad f")) == Self.usual)
    }

    @Test func armccAugmentationHasNoData() throws {
        #expect(try rows(Entries(augmentation: "armcc+")) == Self.usual)
    }

    // MARK: Pointer encodings

    @Test(arguments: [
        (0x00, ".quad f\n.quad 64"), (0x02, ".short 0x1000\n.short 64"), (0x03, ".long f\n.long 64"),
        (0x04, ".quad f\n.quad 64"), (0x0b, ".long f\n.long 64"), (0x0c, ".quad f\n.quad 64"),
        (0x01, ".uleb128 0x401000\n.uleb128 64"), (0x09, ".sleb128 0x401000\n.sleb128 64"),
        (0x1b, ".long f - .\n.long 64"), (0x1c, ".quad f - .\n.quad 64"), (0x10, ".quad f - .\n.quad 64"),
        (0x2b, ".long 0\n.long 64"), (0x2c, ".quad 0\n.quad 64"),
        (0x50, ".balign 8, 0\n.quad f\n.quad 64"),
    ])
    func encodings(_ encoding: Int, _ range: String) throws {
        // Two bytes can't encode an address of this executable, so the FDE is for a function outside executable code.
        let entries = Entries(
            augmentation: "zR", augmentationData: ".byte 1, \(encoding)", range: range, fdeData: ".byte 0")
        if encoding == 0x02 {
            let good = Entries(label: "good_")
            #expect(try rows(entries.cie + entries.fde + good.cie + good.fde) == Self.usual)
        } else {
            #expect(try rows(entries) == Self.usual)
        }
    }

    @Test func setLocUsesTheEncodingAndIsAbsolute() throws {
        let entries = Entries(
            augmentation: "zR", augmentationData: ".byte 1, 0x1b", range: ".long f - .\n.long 64", fdeData: ".byte 0",
            instructions: "1\n.long f + 9 - .\n.byte 0x0e, 16, 1\n.long f + 20 - .\n.byte 0x0e, 24")
        #expect(
            try rows(entries) == [
                "+0 CFA = rsp+8, rbp = rbp, ra = *(CFA-8)", "+9 CFA = rsp+16, rbp = rbp, ra = *(CFA-8)",
                "+14 CFA = rsp+24, rbp = rbp, ra = *(CFA-8)",
            ])
    }

    @Test func backwardSetLocIsRejected() throws {
        let entries = Entries(instructions: "0x49, 0x0e, 16, 1\n.quad f + 4\n.byte 0x0e, 24")
        #expect(
            try rows(entries.cie + entries.fde, bad: 1) == [
                "+0 CFA = rsp+8, rbp = rbp, ra = *(CFA-8)",
                "+9 unknown: a CFA instruction is invalid in its context",
            ])
    }

    @Test func codeAlignmentOfZeroAdvancesByNothing() throws {
        #expect(
            try rows(Entries(codeAlignment: 0, instructions: "0x45, 0x0e, 16, 0x02, 9, 0x0e, 24"))
                == ["+0 CFA = rsp+24, rbp = rbp, ra = *(CFA-8)"])
    }

    // MARK: Lengths and offsets

    @Test(arguments: [false, true])
    func lengthsOf64Bits(isDebugFrame: Bool) throws {
        #expect(try rows(Entries(is64Bit: true, isDebugFrame: isDebugFrame)) == Self.usual)
    }

    @Test(arguments: [false, true])
    func zeroLengthDoesNotEndTheScan(isDebugFrame: Bool) throws {
        let entries = Entries(isDebugFrame: isDebugFrame)
        #expect(try rows(entries.cie + ".long 0\n" + entries.fde, isDebugFrame: isDebugFrame) == Self.usual)
    }

    @Test func cieNeedNotPrecedeNorAdjoinItsFDE() throws {
        let other = Entries(range: ".quad f + 32\n.quad 32", instructions: "0x0e, 24", label: "other_")
        let first = Entries(range: ".quad f\n.quad 32")
        #expect(
            try rows(first.fde + other.cie + other.fde + first.cie)
                == Self.usual + ["+20 CFA = rsp+24, rbp = rbp, ra = *(CFA-8)"])
    }

    @Test func emptyFDEsAndTombstonesAreDropped() throws {
        let good = Entries()
        let empty = Entries(range: ".quad f + 16\n.quad 0", label: "empty_")
        let discarded = Entries(range: ".quad 0\n.quad 64", label: "discarded_")
        #expect(
            try rows(good.cie + empty.cie + discarded.cie + empty.fde + discarded.fde + good.fde) == Self.usual)
    }

    @Test func ofOverlappingFDEsTheFirstInTheFileWins() throws {
        let first = Entries(range: ".quad f + 16\n.quad 16", instructions: "0x0e, 24", label: "first_")
        let second = Entries()
        #expect(
            try rows(first.cie + second.cie + first.fde + second.fde) == Self.usual + [
                "+10 CFA = rsp+24, rbp = rbp, ra = *(CFA-8)", "+20 CFA = rsp+16, rbp = rbp, ra = *(CFA-8)",
            ])
    }
}
