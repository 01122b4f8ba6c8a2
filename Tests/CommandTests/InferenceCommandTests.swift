import Foundation
import Testing

/// `cfic validate --inference`.
@Suite(.timeLimit(.minutes(30))) struct InferenceCommandTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    /// One function of 6 bytes; the row behind its push is right or missing.
    private func library(_ name: String, row: String) throws {
        let source = """
            .globl f
            f: .cfi_startproc
            push %rbx
            \(row)
            pop %rbx
            .cfi_def_cfa_offset 8
            nop
            nop
            nop
            ret
            .cfi_endproc
            """
        try place.write(Array((source + "\n").utf8), to: name + ".s")
        let made = try place.shell(
            "clang --target=x86_64-linux-gnu -shared -fuse-ld=lld -nostdlib -o \(name) \(name).s")
        try #require(made.code == 0, "\(made.diagnostics)")
    }

    @Test func countsAreBytes() throws {
        try library("good.so", row: ".cfi_def_cfa_offset 16")
        let outcome = try place.shell("cfic validate --inference good.so")
        #expect(outcome.code == 0)
        #expect(
            outcome.output == """
                good.so:
                  1 function, 6 bytes of code, 0 of padding
                  6 with a rule: 100.0000 % of the code without padding
                  6 agree: 100.0000 % of those compared

                """)
    }

    @Test func disagreementsAreShownAndFail() throws {
        try library("bad.so", row: "")
        let outcome = try place.shell("cfic validate --inference --show 1 bad.so")
        #expect(outcome.code == 1)
        #expect(outcome.output.contains("  5 agree: 83.3333 % of those compared\n"))
        #expect(outcome.output.contains("  1 disagree, cfa: 1 in straight lines, 0 from blocks' starts\n"))
        #expect(
            outcome.output.contains(
                """
                    inferred: CFA rsp+16, rbp unchanged
                    stated:   CFA r7+8, rbp unchanged, return address [CFA-8]
                """))
        #expect(outcome.output.contains("  push rbx\n"))
        // Without --show, no examples
        #expect(!(try place.shell("cfic validate --inference bad.so").output.contains("inferred")))
    }

    @Test func theLimitIsTheUsers() throws {
        try library("bad.so", row: "")
        #expect(try place.shell("cfic validate --inference --min-agreement 83 bad.so").code == 0)
        #expect(try place.shell("cfic validate --inference --min-agreement 84 bad.so").code == 1)
    }

    @Test func filesAreSummedAndOthersPassedOver() throws {
        try library("good.so", row: ".cfi_def_cfa_offset 16")
        try library("bad.so", row: "")
        try place.write(Array("#!/bin/sh\n".utf8), to: "script")
        let outcome = try place.shell("rm *.s; cfic validate --inference .")
        #expect(outcome.code == 1)
        #expect(outcome.output.contains("2 files:\n  2 functions, 12 bytes of code, 0 of padding\n"))
        // Named files must be suitable.
        #expect(try place.shell("cfic validate --inference script").code == 1)
        #expect(try place.shell("cfic validate --inference missing").code == 1)
    }

    @Test(arguments: [
        "--inference", "--show 1 file", "--inference --show -1 file", "--inference --live file",
        "--inference --core file", "--inference --exhaustive file", "--inference --no-cache file",
        "--inference --min-agreement 101 file",
    ])
    func wrongUsageIsRefused(arguments: String) throws {
        #expect(try place.shell("cfic validate \(arguments)").code == 64)
    }
}
