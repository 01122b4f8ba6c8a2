import CUnwindTable
import Foundation
@testable import KernelUnwinder
import TestFixtures
import Testing

/// Stacks in code that has neither call frame information nor inferred rules: callers are right or missing, and guesses are
/// marked.
@Suite(
    .enabled(if: LiveProgram.canRun, "\(LiveProgram.need)"), .serialized, .timeLimit(.minutes(30)))
struct GuessedStackTests {
    /// The stacks in a function of no-information.c, at least 20 samples. There must be no others, except those taken
    /// before the process was known.
    private func stacks(_ kind: String, in function: String) throws -> [LiveStacks.Live] {
        let fixture = try Fixture()
        try run(
            words: ["gcc"] + LiveProgram.optimised + ["-o", "program", "\(LiveProgram.sources)/no-information.c"],
            in: fixture.directory)
        let program = try LiveProgram(fixture, "program", [kind])
        let found = try LiveStacks(of: program, infers: false) { $0.innermost == function }.inside(function)
        try #require(found.reduce(0) { $0 + $1.count } >= 20)
        return found
    }

    /// The frame pointer is the caller's caller's and leads to main's return address, which follows a call of another
    /// function.
    @Test func leafThatLeavesTheFramePointerAloneHasItsCaller() throws {
        for live in try stacks("leaf", in: "leaf") {
            #expect(live.functions.prefix(4) == ["leaf", "parent", "grandparent", "main"], "\(live.text)")
            #expect(live.stack.outcome == .guessed && live.outermost == "_start", "\(live.stack.end)")
            // All frames outward of the first guess are marked.
            #expect(!live.stack.userFrames[0].isGuessed)
            #expect(live.stack.userFrames.dropFirst().allSatisfy { $0.isGuessed && !$0.isUnchecked })
        }
    }

    @Test func zerosWhereTheFramePointerLeadsAreNoOutermostFrame() throws {
        for live in try stacks("zeros", in: "zeros") {
            #expect(live.stack.end.code == CFIC_STEP_BAD_FRAME_POINTER.rawValue && live.depth == 1, "\(live.text)")
            #expect(live.stack.outcome == .truncated)
        }
    }

    @Test func whatIsLeftOverBelowAFrameIsNoCaller() throws {
        for live in try stacks("stale", in: "stale") {
            #expect(live.functions.prefix(3) == ["stale", "keeps_frame_pointer", "main"], "\(live.text)")
            #expect(live.stack.outcome == .guessed)
        }
    }

    @Test func restorerIsKnownByItsCode() throws {
        for live in try stacks("restorer", in: "spin") {
            #expect(
                live.functions.prefix(5) == ["spin", "handler", "restorer", "interrupted", "main"], "\(live.text)")
            #expect(live.isComplete && live.outermost == "_start", "\(live.stack.end)")
            #expect(live.stack.userFrames.prefix(5).map(\.isExact) == [true, false, true, true, false])
        }
    }

    @Test func codeThatEndsTheThreadIsTheOutermost() throws {
        for live in try stacks("thread", in: "spin") {
            #expect(live.functions == ["spin", "body", "starts_thread"], "\(live.text)")
            #expect(live.isComplete && live.stack.end.code == CFIC_STEP_END_OF_STACK.rawValue)
        }
    }

    @Test func vsyscallPageHasItsRule() throws {
        guard try String(contentsOfFile: "/proc/self/maps", encoding: .utf8).contains("[vsyscall]") else { return }
        for live in try stacks("vsyscall", in: "[vsyscall]") {
            #expect(live.functions.prefix(3) == ["[vsyscall]", "calls_vsyscall", "main"], "\(live.text)")
            #expect(live.isComplete && live.outermost == "_start", "\(live.stack.end)")
        }
    }

    /// In both psABIs, a frame pointer of zero marks the outermost frame. If that is where the stack begins, too, this is
    /// known without a guess; those before it are guessed nevertheless.
    @Test(arguments: [("sub $16, %rsp", CFIC_STEP_END_OF_CHAIN), ("nop", CFIC_STEP_END_OF_STACK)])
    func zeroFramePointerEndsTheChain(first: String, end: cfic_step) throws {
        let fixture = try assemble(
            """
            _start: xor %ebp, %ebp
            \(first)
            call a
            a: push %rbp
            mov %rsp, %rbp
            call b
            b: push %rbp
            mov %rsp, %rbp
            1: jmp 1b
            """, ["_start", "a", "b"])
        let found = try LiveStacks(of: LiveProgram(fixture, "program"), infers: false) { $0.innermost == "b" }.inside(
            "b")
        try #require(found.reduce(0) { $0 + $1.count } >= 20)
        for live in found {
            #expect(live.functions == ["b", "a", "_start"] && live.stack.outcome == .guessed, "\(live.text)")
            #expect(live.stack.end.code == end.rawValue)
        }
    }

    /// The entry point is the outermost frame even if its information has a rule for a caller.
    @Test func entryPointIsTheOutermost() throws {
        let fixture = try assemble(
            """
            _start: .cfi_startproc
            xor %ebp, %ebp
            call a
            .cfi_endproc
            a: .cfi_startproc
            1: jmp 1b
            .cfi_endproc
            """, ["_start", "a"])
        let found = try LiveStacks(of: LiveProgram(fixture, "program"), infers: false) { $0.innermost == "a" }.inside(
            "a")
        try #require(found.reduce(0) { $0 + $1.count } >= 20)
        for live in found { #expect(live.functions == ["a", "_start"] && live.isComplete, "\(live.stack.end)") }
    }

    /// The 64-bit registers of 32-bit code are meaningless.
    @Test func codeOf32BitIsToldAsSuch() throws {
        let fixture = try assemble("_start: jmp _start", ["_start"], target: "i386-linux-gnu")
        // A kernel without 32-bit emulation refuses to run it.
        guard let program = try? LiveProgram(fixture, "program") else { return }
        let found = try LiveStacks(of: program)
        try #require(found.count >= 20)
        for live in found.all {
            #expect(live.stack.end.code == CFIC_STEP_OTHER_MACHINE.rawValue, "\(live.stack.end): \(live.text)")
            #expect(live.depth == 0 && live.stack.outcome == .truncated)
        }
    }

    /// The same if the sample interrupts the kernel, which saved the registers.
    @Test func systemCallOf32BitCodeIsToldAsSuch() throws {
        // getrandom with a large size.
        let fixture = try assemble(
            """
            _start: sub $0x10000, %esp
            1: mov $355, %eax
            mov %esp, %ebx
            mov $0x10000, %ecx
            xor %edx, %edx
            int $0x80
            jmp 1b
            """, ["_start"], target: "i386-linux-gnu")
        guard let program = try? LiveProgram(fixture, "program") else { return }
        let found = try LiveStacks(of: program, infers: false) { !$0.stack.kernelFrames.isEmpty }
            .all.filter { !$0.stack.kernelFrames.isEmpty }
        try #require(found.reduce(0) { $0 + $1.count } >= 20)
        for live in found {
            #expect(live.stack.end.code == CFIC_STEP_OTHER_MACHINE.rawValue, "\(live.stack.end): \(live.text)")
            #expect(live.depth == 0 && live.stack.outcome == .truncated)
        }
    }

    /// An executable made only from assembly, with symbols for its functions.
    private func assemble(
        _ source: String, _ functions: [String], target: String = "x86_64-linux-gnu"
    ) throws -> Fixture {
        let fixture = try Fixture()
        let types = functions.map { ".globl \($0)\n.type \($0), @function\n" }.joined()
        try fixture.write(Array(".text\n\(types)\(source)\n".utf8), to: "program.s")
        try run(
            words: ["clang", "--target=\(target)", "-nostdlib", "-static", "-fuse-ld=lld"]
                + ["-o", "program", "program.s"],
            in: fixture.directory)
        return fixture
    }
}
