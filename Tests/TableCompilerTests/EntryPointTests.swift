import ELF
import TableCompiler
import TestFixtures
import Testing
import UnwindTable

/// Nothing calls an ELF entry point, so its frame has no caller, even if its call frame information has a rule for one.
@Suite struct EntryPointTests {
    private static let end = "end of stack"
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    /// Links an executable from one source with `flags`, and compiles its table.
    private func compile(
        _ source: String, _ target: Fixture.Target = .x86_64, flags: [String] = ["-static"], infers: Bool = false
    ) throws -> CompiledImage {
        try fixture.write(Array((source + "\n").utf8), to: "source.s")
        try run(
            words: ["clang", "--target=\(target.rawValue)", "-nostdlib", "-fuse-ld=lld"] + flags
                + ["-o", "program", "source.s"], in: fixture.directory)
        return try CompiledImage("\(fixture.directory)/program", options: TableOptions(infers: infers))
    }

    /// The table's rule at a distance from the entry point.
    private func rule(_ table: CompiledImage, _ distance: UInt64) throws -> String {
        let entry = try ELFImage(path: "\(fixture.directory)/program").entryAddress
        return table.view.describe(table.view.ruleNumber(at: entry &+ distance))
    }

    /// A function of 16 bytes with a rule for a caller, and another function.
    private func covered(_ instructions: String) -> String {
        """
        .text
        .globl _start, other
        _start: .cfi_startproc
        \(instructions)
        .balign 16
        .cfi_endproc
        other: .cfi_startproc
        ret
        .cfi_endproc
        """
    }

    private func expectOutermost(_ table: CompiledImage, _ range: Range<UInt64>, step: UInt64 = 1) throws {
        let found = try stride(from: 0, to: range.upperBound + 16, by: Int(step)).map { try rule(table, $0) }
        let expected = stride(from: 0, to: range.upperBound + 16, by: Int(step)).map { range.contains($0) }
        #expect(found.map { $0 == Self.end } == expected, "\(found)")
    }

    @Test(arguments: [["-static"], ["-static-pie"], ["-pie", "-Wl,--dynamic-linker=/lib/ld.so"]])
    func entryPointIsOutermostEvenIfItsInformationNamesACaller(flags: [String]) throws {
        try expectOutermost(compile(covered("xor %ebp, %ebp\npush %rax\n.cfi_def_cfa_offset 16"), flags: flags), 0..<16)
        let aarch64 = covered("mov x29, #0\nsub sp, sp, #16\n.cfi_def_cfa_offset 16")
        try expectOutermost(compile(aarch64, .aarch64, flags: flags), 0..<16, step: 4)
    }

    /// Files that differ only in their entry points have different tables, so they need different keys.
    @Test func entryPointIsPartOfTheKey() throws {
        func key(_ entry: String) throws -> TableSource.Key {
            _ = try compile(covered("xor %ebp, %ebp"), flags: ["-static", "-Wl,-e,\(entry)"])
            return try ELFImage(path: "\(fixture.directory)/program").tableKey()
        }
        let first = try key("_start")
        #expect(try key("_start") == first)
        #expect(try key("other") != first)
    }

    /// No instruction starts there. Such a file must not cause a crash.
    @Test func entryPointBetweenInstructionsIsNone() throws {
        let source = covered("mov x29, #0\nmov x30, #0") + "\n.globl odd\n.set odd, _start + 2"
        let table = try compile(source, .aarch64, flags: ["-static", "-Wl,-e,odd"])
        #expect(try ELFImage(path: "\(fixture.directory)/program").entryAddress % 4 == 2)
        for distance in [0, 2, 6] as [UInt64] { #expect(try rule(table, distance) != Self.end) }
    }

    /// Earlier code in the same FDE keeps its rules.
    @Test func onlyWhatIsBehindTheEntryPointIsOutermost() throws {
        let source = """
            .text
            .globl _start
            before: .cfi_startproc
            nop
            _start: nop
            .cfi_endproc
            """
        let table = try compile(source)
        #expect(try rule(table, 0) == Self.end)
        #expect(try rule(table, 0 &- 1).hasPrefix("CFA = rsp+8"))
    }

    /// An FDE that already makes its frame outermost is used unchanged, without a synthetic section.
    @Test func informationThatSaysItIsUsedAsItIs() throws {
        let table = try compile(covered(".cfi_undefined rip\nxor %ebp, %ebp"))
        #expect(try rule(table, 0) == Self.end)
        #expect(table.result.built.counts.fdes == 2 && table.result.built.counts.overlappingFDEs == 0)
    }

    /// As in musl and ld.so, the frame is outermost up to the end of its first call.
    @Test func entryPointWithoutInformationIsOutermostToItsFirstCall() throws {
        let rest = ".skip 200, 0x90\nother: .cfi_startproc\nret\n.cfi_endproc\n"
        let direct = ".text\n.globl _start\n_start: xor %ebp, %ebp\nmov %rsp, %rdi\ncall other\nhlt\n"
        try expectOutermost(compile(direct + rest), 0..<10)
        let indirect = ".text\n.globl _start\n_start: xor %ebp, %ebp\ncall *other(%rip)\nhlt\n"
        try expectOutermost(compile(indirect + rest), 0..<8)
        let register = ".text\n.globl _start\n_start: xor %ebp, %ebp\ncall *%rcx\nhlt\n"
        try expectOutermost(compile(register + rest), 0..<4)
        let aarch64 = ".text\n.globl _start\n_start: mov x29, #0\nmov x0, sp\nbl other\nbrk #1\n"
        try expectOutermost(compile(aarch64 + rest.replacing("0x90", with: "0"), .aarch64), 0..<12, step: 4)
    }

    /// Instructions show where its function ends.
    @Test(arguments: [("mov %rsp, %rdi\ncall other", 10 as UInt64), ("call *other(%rip)", 8), ("call *%rcx", 4)])
    func inferredEntryPointIsOutermostToItsEnd(call: String, size: UInt64) throws {
        let source = """
            .text
            .globl _start
            _start: xor %ebp, %ebp
            \(call)
            hlt
            .skip 200, 0x90
            other: .cfi_startproc
            ret
            .cfi_endproc
            """
        try expectOutermost(compile(source, infers: true), 0..<size + 1)
    }

    /// Bytes that look like a call, but whose target isn't code, are part of another instruction.
    @Test func callThatWouldLeadNowhereIsNone() throws {
        let source = """
            .text
            .globl _start
            _start: mov $0x7fffffe8, %eax
            call other
            .skip 200, 0x90
            other: .cfi_startproc
            ret
            .cfi_endproc
            """
        try expectOutermost(compile(source), 0..<10)
    }

    /// A gap no longer than one function is outermost entirely. It may contain two calls, as in ld.so.
    @Test func shortGapIsOneFunction() throws {
        let source = """
            .text
            .globl _start
            _start: call other
            call other
            .skip 90, 0x90
            other: .cfi_startproc
            ret
            .cfi_endproc
            """
        try expectOutermost(compile(source), 0..<100)
    }

    /// Even if another gap of the same length is padding.
    @Test func shortFunctionIsNotPadding() throws {
        let source = """
            .text
            .globl _start
            first: .cfi_startproc
            ret
            .cfi_endproc
            .balign 16
            .skip 8, 0x90
            _start: jmp other
            .balign 16
            other: .cfi_startproc
            ret
            .cfi_endproc
            """
        try expectOutermost(compile(source), 0..<8)
    }

    /// Older linkers set it to the start of .text.
    @Test func entryPointOfALibraryIsARelic() throws {
        let source = """
            .text
            .globl f
            f: .cfi_startproc
            ret
            .cfi_endproc
            """
        let table = try compile(source, flags: ["-shared", "-Wl,-e,f"])
        #expect(try rule(table, 0).hasPrefix("CFA = rsp+8"))
    }

    /// Dynamic linkers are libraries without an interpreter, recognised by the code at their entry point.
    @Test func interpretersStartStacks() throws {
        let starts: [(Fixture.Target, String)] = [
            (.x86_64, "mov %rsp, %rdi"), (.x86_64, "xor %rbp, %rbp"), (.x86_64, "endbr64\nxor %ebp, %ebp"),
            (.aarch64, "bti c\nmov x0, sp"), (.aarch64, "mov x29, #0"),
        ]
        for (target, start) in starts {
            let source = covered(start).replacing("ret", with: "nop")
            let arch = target == .aarch64 ? ".arch armv8.5-a\n" : ""
            let table = try compile(arch + source, target, flags: ["-shared", "-Wl,-e,_start"])
            #expect(try rule(table, 0) == Self.end, "\(start)")
        }
    }

    /// Sections and offsets are the file's own, although a synthetic section precedes them.
    @Test func badFramesAreNamedByTheirSection() throws {
        let source =
            covered("nop") + """

                bad: .cfi_startproc
                .cfi_escape 0x3f
                ret
                .cfi_endproc
                """
        let table = try compile(source)
        #expect(try rule(table, 0) == Self.end)
        #expect(table.result.built.badFrames.map(\.section) == [0])
        #expect(table.result.notes.allSatisfy { $0.contains("program: .eh_frame+0x") } && table.result.notes.count == 1)
    }
}
