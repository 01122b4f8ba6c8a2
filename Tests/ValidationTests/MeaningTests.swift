import ELF
import TestFixtures
import Testing
import UnwindTable
import Validation

/// Comparisons of values other than CFA and return address, and their coverage.
@Suite struct MeaningTests {
    let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func library(_ cfi: String, _ target: Fixture.Target = .x86_64) throws -> String {
        try fixture.library(".text\n.cfi_startproc\n\(cfi)\n.fill 16, 4, 0x90909090\n.cfi_endproc", target)
    }

    /// The difference between one library's table and another library's frames.
    private func difference(_ cfi: String, _ other: String) throws -> TableValidation.Disagreement? {
        let table = try CompiledImage(library(cfi))
        let validation = TableValidation(table.view, try ReferenceImage(path: library(other)))
        #expect(validation.disagreementCount > 0)
        return validation.disagreements.first
    }

    @Test func callersStackPointerThatIsNotTheCFA() throws {
        // DW_CFA_val_offset_sf: rsp = CFA + 16.
        let leaving = ".cfi_escape 0x15, 7, 0x7e"
        #expect(try validated(library(leaving)).validation.disagreementCount == 0)
        let found = try #require(try difference("", leaving))
        guard case .caller(let table) = found.table, case .caller(let reference) = found.reference else {
            Issue.record("\(found)")
            return
        }
        #expect(reference.stackPointer == reference.cfa &+ 16)
        #expect(reference.cfa == table.cfa && reference.framePointer == table.framePointer)
    }

    @Test func signalFramesAreNotCalls() throws {
        let found = try #require(try difference("", ".cfi_signal_frame"))
        guard case .caller(let table) = found.table, case .caller(let reference) = found.reference else {
            Issue.record("\(found)")
            return
        }
        #expect(!table.isSignalFrame && reference.isSignalFrame)
    }

    @Test func framePointersThatAreLost() throws {
        let found = try #require(try difference("", ".cfi_undefined rbp"))
        guard case .caller(let reference) = found.reference else {
            Issue.record("\(found)")
            return
        }
        #expect(reference.framePointer == nil)
    }

    @Test func outermostFrames() throws {
        #expect(try #require(try difference("", ".cfi_undefined rip")).reference == .endOfStack)
    }

    /// .debug_frame has one row for 64 bytes, and .eh_frame one for the 16 bytes in the middle.
    @Test func ehFrameComesBeforeDebugFrameOnBothSides() throws {
        let path = try fixture.program(
            """
            .text
            .globl f
            f: .fill 16, 1, 0x90
            .cfi_startproc
            .cfi_def_cfa_offset 32
            .fill 16, 1, 0x90
            .cfi_endproc
            .fill 32, 1, 0x90
            .section .cfi, "a"
            .long 1f - 0f
            0: .long -1
            .byte 1
            .asciz ""
            .uleb128 1
            .sleb128 -8
            .byte 16, 0x0c, 7, 16, 0x90, 1
            .balign 8, 0
            1: .long 3f - 2f
            2: .long 0
            .quad f, 64
            .balign 8, 0
            3:
            """, section: ".debug_frame")
        let validation = try validated(path, isExhaustive: true).validation
        #expect(validation.disagreementCount == 0 && validation.known == [:], "\(validation.disagreements.prefix(2))")
        let table = try CompiledImage(path)
        #expect([0x40_1008, 0x40_1018, 0x40_1028].map { table.view.rule(at: $0).cfaOffset } == [16, 32, 16])
    }

    @Test func everyUnitOfEveryPageAndBothNeighbours() throws {
        let result = try validated("/usr/bin/env", isExhaustive: true)
        let table = try CompiledImage("/usr/bin/env")
        var pages = 0
        table.view.forEachPage { _ in pages += 1 }
        // The first page is at address 0, before which there is no address to probe.
        #expect(result.validation.probes == pages << Int(table.view.pageShift) + 2 * table.view.ranges.count - 1)
        #expect(result.validation.disagreementCount == 0)
        // Padding, and start-up code, the entry point included.
        let known = [.absorbedPadding, .inferred, .entryPoint].reduce(0) { $0 + (result.validation.known[$1] ?? 0) }
        #expect(result.validation.agreements + known == result.validation.probes)
    }

    @Test func moreStatesAndOtherSeedsGiveTheSame() throws {
        let table = try CompiledImage("/usr/bin/env")
        let reference = try ReferenceImage(path: "/usr/bin/env")
        for (states, seed) in [(1, 7), (8, 1 << 40)] as [(Int, UInt64)] {
            var effort = TableValidation.Effort()
            (effort.states, effort.seed) = (states, seed)
            let validation = TableValidation(table.view, reference, effort: effort)
            #expect(validation.disagreementCount == 0)
            #expect(validation.agreements > 1000)
        }
    }
}
