import ELF
import TableCompiler
import TestFixtures
import Testing
import UnwindTable

/// aarch64 vDSOs have no call frame information for the code that signal handlers return to.
@Suite struct SignalTrampolineTests {
    private static let trampoline = """
        .text
        .globl before
        .type before, %function
        before: .cfi_startproc
            ret
            .cfi_endproc
            nop
        .globl __kernel_rt_sigreturn
        __kernel_rt_sigreturn:
            mov x8, #139
            svc #0
        after:
            ret
        """

    @Test func callOfSigreturnIsASignalFrameFromTheByteBeforeIt() throws {
        let fixture = try Fixture()
        let table = try CompiledImage(fixture.library(Self.trampoline, .aarch64))
        #expect(
            table.rows == [
                "+0 CFA = sp, x29 = x29, ra = x30 (needs live registers)",
                "+4 CFA = *(sp+560), x29 = *(sp+544), ra = *(sp+568) (signal frame, inferred)",
            ])
        var ends: [Range<UInt64>] = []
        table.view.forEachRow { range, number in if number != 0 { ends.append(range) } }
        // The preceding nop and two instructions.
        #expect(ends.last.map { $0.upperBound - $0.lowerBound } == 12)
    }

    @Test func imageWithoutAnyOtherInformationGetsATable() throws {
        let fixture = try Fixture()
        let source = ".text\nnop\n.globl f\nf: mov x8, #139\nsvc #0\n"
        let table = try CompiledImage(fixture.library(source, .aarch64))
        #expect(table.rules == ["CFA = *(sp+560), x29 = *(sp+544), ra = *(sp+568) (signal frame, inferred)"])
    }

    @Test func ownInformationComesFirst() throws {
        let fixture = try Fixture()
        let source = """
            .text
            nop
            f: .cfi_startproc
            .cfi_def_cfa_offset 64
            mov x8, #139
            svc #0
            .cfi_endproc
            """
        let table = try CompiledImage(fixture.library(source, .aarch64))
        #expect(table.rules.last == "CFA = sp+64, x29 = x29, ra = x30 (needs live registers)")
    }

    @Test func otherSystemCallsAreNone() throws {
        let fixture = try Fixture()
        let source = ".text\nnop\n.globl f\nf: mov x8, #140\nsvc #0\n"
        #expect(try skipReason(fixture.library(source, .aarch64)) == .noCallFrameInformation)
    }

    /// Large libraries aren't vDSOs, even if they contain the same code.
    @Test func largeImagesAreNotSearched() throws {
        let fixture = try Fixture()
        let source = ".text\nnop\n.globl f\nf: mov x8, #139\nsvc #0\n.data\n.space 300000\n"
        #expect(try skipReason(fixture.library(source, .aarch64)) == .noCallFrameInformation)
    }
}
