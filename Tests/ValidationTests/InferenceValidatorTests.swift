import ELF
import Foundation
import TestFixtures
import Testing
import Validation

/// Rules inferred from instructions mean what the compiler's call frame information says.
@Suite struct InferenceValidatorTests {
    private static let source =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().path
        + "/../../testdata/programs/stack-shapes.c"

    private static let flags = [
        ["-O0"], ["-O1"], ["-O2"], ["-Os"], ["-O3", "-mavx2"], ["-O2", "-fno-omit-frame-pointer"],
        ["-O2", "-fstack-clash-protection", "-fcf-protection"], ["-O2", "-fno-pie", "-no-pie"],
    ]

    /// gcc's rows for the end of a function with a realigned frame still say that the caller's rbp is at [rbp], when rbp
    /// has already been restored.
    private static let knownFault = "lea rsp, [r10-0x08]"

    @Test(arguments: ["gcc", "clang"], flags)
    func everyRuleOfACompiledProgramAgrees(compiler: String, flags: [String]) throws {
        let comparison = try compare(compiler, flags, exampleLimit: 10)
        let unexplained = comparison.examples.filter {
            $0.difference != .framePointer || $0.instructions.last?.text != Self.knownFault
        }
        #expect(unexplained.isEmpty)
        #expect(comparison.examples.count <= 1)
        // One instruction of five bytes, if any.
        #expect(comparison.disagreements == [:] || comparison.disagreements == [.framePointer: .init(straightLine: 5)])
        #expect(
            comparison.agreeingBytes + comparison.uncomparedBytes + comparison.disagreeingBytes == comparison.ruleBytes)
        // Most of the code, or there is nothing to agree on. Without optimisation, tables' indexes pass through memory.
        #expect(comparison.yield > (flags == ["-O0"] ? 0.7 : 0.95), "\(comparison.givenUp) \(comparison.failures)")
        let accounted = comparison.ruleBytes + comparison.paddingBytes + comparison.givenUp.values.reduce(0, +)
        #expect(accounted == comparison.codeBytes)
    }

    @Test func rowsThatAreWrongAreFoundInAStraightLine() throws {
        let fixture = try Fixture()
        // The second push has no row.
        let path = try fixture.library(
            """
            .globl f
            f: .cfi_startproc
            push %rbx
            .cfi_adjust_cfa_offset 8
            push %r12
            nop
            pop %r12
            pop %rbx
            .cfi_adjust_cfa_offset -8
            ret
            .cfi_endproc
            """)
        let comparison = try #require(try InferenceValidator.compare(try ELFImage(path: path), exampleLimit: 10))
        // nop and pop
        #expect(comparison.disagreements == [.cfa: .init(straightLine: 3)])
        #expect(comparison.ruleBytes == 8)
        #expect(comparison.agreeingBytes == 5)
        let example = try #require(comparison.examples.first)
        #expect(example.inferred == "CFA rsp+24, rbp unchanged")
        #expect(example.stated == "CFA r7+16, rbp unchanged, return address [CFA-8]")
        #expect(example.instructions.map(\.text) == ["push rbx", "push r12", "nop"])
    }

    @Test func functionsThatNothingEntersGetNoRules() throws {
        let fixture = try Fixture()
        let path = try fixture.library(
            """
            f: .cfi_startproc
            ret
            .cfi_endproc
            """)
        let comparison = try #require(try InferenceValidator.compare(try ELFImage(path: path), exampleLimit: 10))
        #expect(comparison.givenUp == [InferenceComparison.noEntry: 1])
        #expect(comparison.ruleBytes == 0)
    }

    @Test func outermostFramesAreNotCompared() throws {
        let fixture = try Fixture()
        let path = try fixture.library(
            """
            .globl f
            f: .cfi_startproc
            .cfi_undefined %rip
            ret
            .cfi_endproc
            """)
        let comparison = try #require(try InferenceValidator.compare(try ELFImage(path: path), exampleLimit: 10))
        #expect(comparison.uncomparedBytes == 1)
        #expect(comparison.agreement == 1)
    }

    @Test func otherMachinesAreLeftOut() throws {
        let fixture = try Fixture()
        let path = try fixture.library("f: .cfi_startproc\nret\n.cfi_endproc", .aarch64)
        #expect(try InferenceValidator.compare(try ELFImage(path: path), exampleLimit: 0) == nil)
    }

    private func compare(_ compiler: String, _ flags: [String], exampleLimit: Int) throws -> InferenceComparison {
        let fixture = try Fixture()
        try run(words: [compiler, "-w"] + flags + ["-o", "program", Self.source], in: fixture.directory)
        let image = try ELFImage(path: "\(fixture.directory)/program")
        return try #require(try InferenceValidator.compare(image, exampleLimit: exampleLimit))
    }
}
