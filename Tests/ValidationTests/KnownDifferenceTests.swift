import ELF
import Foundation
import TableCompiler
import TableStore
import TestFixtures
import Testing
import UnwindTable
import Validation

/// Each kind of known difference, made on purpose. No other difference must count as known.
@Suite struct KnownDifferenceTests {
    let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func known(_ path: String, keepsGaps: Bool = false) throws -> [KnownDifference: Int] {
        let validation = try validated(path, keepsGaps: keepsGaps, isExhaustive: true).validation
        #expect(validation.disagreementCount == 0, "\(validation.disagreements.prefix(3))")
        return validation.known
    }

    /// Two functions of 20 and 16 bytes with `gap` bytes between them.
    private func library(gap: Int) throws -> String {
        try fixture.library(
            """
            .text
            .p2align 4
            .cfi_startproc
            .fill 20, 1, 0x90
            .cfi_endproc
            .fill \(gap), 1, 0xcc
            .cfi_startproc
            .cfi_def_cfa_offset 32
            .fill 16, 1, 0x90
            .cfi_endproc
            """)
    }

    @Test func paddingThatTheTableAbsorbs() throws {
        #expect(try known(library(gap: 12)) == [.absorbedPadding: 12])
    }

    @Test func gapsThatTheTableKeeps() throws {
        #expect(try known(library(gap: 12), keepsGaps: true) == [:])
        // The next function is not aligned to 16. glibc's clone has such a gap, which is code.
        #expect(try known(library(gap: 10)) == [:])
    }

    /// The file's first FDE covers the second half of the other one. libdw reads it first, then drops the other one,
    /// and has no information for its first half.
    @Test func frameDescriptionEntriesThatOverlap() throws {
        let path = try Entries.program(
            Entries.fde(start: "f + 32", size: 64, cfaOffset: 24), Entries.fde(start: "f", size: 64, cfaOffset: 16),
            in: fixture)
        #expect(try known(path) == [.overlappingFrames: 32])
    }

    @Test(arguments: [".eh_frame", ".debug_frame"])
    func entriesBehindAZeroLength(section: String) throws {
        let path = try Entries.program(
            Entries.fde(start: "f", size: 64, cfaOffset: 16), ".long 0\n",
            Entries.fde(start: "f + 64", size: 64, cfaOffset: 24), section: section, in: fixture)
        let known = try known(path)
        #expect(known == [.behindTerminator: 64])
    }

    /// Two zero lengths before all entries, after which libdw finds no others.
    @Test(arguments: [".eh_frame", ".debug_frame"])
    func entriesBehindLeadingZeros(section: String) throws {
        let path = try Entries.program(
            Entries.fde(start: "f", size: 64, cfaOffset: 16), Entries.fde(start: "f + 64", size: 64, cfaOffset: 24),
            leadingZeros: 2, section: section, in: fixture)
        #expect(try known(path) == [.behindTerminator: 128])
    }

    /// An FDE whose first row, in libdw, extends 64 KiB beyond its end, over other FDEs.
    @Test func frameThatAdvancesPastItsEnd() throws {
        let past = """
            .long 1f - 0f
            0: .long CIE
            .quad f, 16
            .byte 0x04, 0, 0, 1, 0, 0x0e, 64
            .balign 8, 0
            1:

            """
        let path = try Entries.program(
            past, Entries.fde(start: "f + 16", size: 16, cfaOffset: 8),
            Entries.fde(start: "f + 32", size: 16, cfaOffset: 24), in: fixture)
        #expect(try known(path) == [:])
        let validation = try validated(path).validation
        #expect(validation.disagreementCount == 0 && validation.known.isEmpty)
    }

    /// As in aarch64's vDSOs since Linux 5.8: the trampoline, preceded by a nop, without call frame information.
    @Test func signalTrampolineWithARuleOfOurOwn() throws {
        let path = try fixture.library(
            """
            .text
            .p2align 4
            .cfi_startproc
            .fill 4, 4, 0xd503201f
            .cfi_endproc
            nop
            mov x8, #139
            svc #0
            .fill 4, 4, 0xd503201f
            """, .aarch64)
        #expect(try known(path) == [.signalTrampoline: 3])
    }

    /// An entry point with an FDE that has a rule for a caller, and one without an FDE; 8 bytes each. The next function
    /// is compared as usual.
    @Test(arguments: [(".cfi_startproc", ".cfi_endproc"), ("", "")])
    func entryPointThatNothingCalled(start: String, end: String) throws {
        let source = """
            .text
            .globl _start
            _start: \(start)
            .fill 8, 1, 0x90
            \(end)
            .cfi_startproc
            .fill 20, 1, 0x90
            .cfi_endproc
            """
        try fixture.write(Array((source + "\n").utf8), to: "program.s")
        try run(
            words: ["clang", "--target=x86_64-linux-gnu", "-nostdlib", "-static", "-fuse-ld=lld"]
                + ["-o", "program", "program.s"],
            in: fixture.directory)
        #expect(try known("\(fixture.directory)/program") == [.entryPoint: 8])
    }

    @Test func returnAddressInARegisterThatNothingSpeaksOf() throws {
        let path = try fixture.library(
            """
            .text
            .cfi_startproc
            .cfi_return_column 15
            .fill 8, 4, 0xd503201f
            .cfi_endproc
            """, .aarch64)
        #expect(try known(path) == [.unspecifiedReturnColumn: 8])
    }

    @Test func functionThatTheLinkerDiscarded() throws {
        // Its FDE starts at address 0, which is in a shared library's first page.
        let path = try fixture.library(
            """
            .text
            .cfi_startproc
            .fill 16, 1, 0x90
            .cfi_endproc
            .section .cfi, "a"
            .long 1f - 0f
            0: .long -1
            .byte 1
            .asciz ""
            .uleb128 1
            .sleb128 -8
            .byte 16, 0x0c, 7, 8, 0x90, 1
            .balign 8, 0
            1: .long 3f - 2f
            2: .long 0
            .quad 0, 24
            .balign 8, 0
            3:
            """)
        try run("objcopy", "--rename-section", ".cfi=.debug_frame", path)
        #expect(try known(path) == [.discardedFunction: 24])
    }

    /// One wrong rule in a cached table is detected, while its padding still counts as a known difference. The table of
    /// another file with the same build id is not used.
    @Test func aWrongRuleOfACachedTableIsADisagreement() throws {
        func library(_ offset: Int, _ name: String) throws -> String {
            try fixture.library(
                """
                .text
                .p2align 4
                .cfi_startproc
                .cfi_def_cfa_offset \(offset)
                .fill 20, 1, 0x90
                .cfi_endproc
                .p2align 4, 0xcc
                .cfi_startproc
                .fill 16, 1, 0x90
                .cfi_endproc
                """, named: name, flags: ["-Wl,--build-id=0xabcdef01"])
        }
        let store = TableStore(directory: fixture.directory + "/tables")
        let right = try library(16, "right.so")
        try store.plant(tableOf: right, for: right)
        #expect(try !validated(library(24, "wrong.so"), store: store).isFromCache)
        #expect(try validated(library(16, "same.so"), store: store).isFromCache)
        #expect(try validated(library(16, "same.so"), store: store).validation.disagreementCount == 0)

        try store.plant(tableOf: right, for: library(24, "wrong.so"))
        let wrong = try validated(library(24, "wrong.so"), store: store)
        #expect(wrong.isFromCache)
        #expect(wrong.validation.disagreementCount >= 3)
        #expect(wrong.validation.known.keys.map(\.rawValue) == ["absorbedPadding"])
        #expect(wrong.rules.first == "CFA = rsp+16, rbp = rbp, ra = *(CFA-8)")
        #expect(try !validated(library(24, "wrong.so")).isFromCache)
        #expect(try validated(library(24, "wrong.so")).validation.disagreementCount == 0)
    }

    @Test func tablesThatAreNotProvedAreMadeAnew() throws {
        let path = try fixture.library(
            ".text\n.cfi_startproc\n.fill 16, 1, 0x90\n.cfi_endproc", flags: ["-Wl,--build-id=0xabcdef02"])
        let store = TableStore(directory: fixture.directory + "/tables")
        try store.plant(tableOf: path, for: path)
        #expect(try validated(path, store: store).isFromCache)
        let stored = try store.path(of: ELFImage(path: path).tableKey())
        var bytes = try contents(stored)
        bytes[bytes.count - 1] ^= 1
        try Data(bytes).write(to: URL(fileURLWithPath: stored))
        let result = try validated(path, store: store)
        #expect(!result.isFromCache)
        #expect(result.validation.disagreementCount == 0)
    }
}
