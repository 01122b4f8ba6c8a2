import TestFixtures
import Testing
@testable import TableBuilder
import UnwindTable

/// The rules that rows are lowered to, as text by `describe`.
@Suite struct RuleTests {
    /// The rule of a function with these instructions.
    private func rule(
        _ instructions: [UInt8], _ machine: TableMachine = .x86_64, augmentation: String = ""
    ) throws -> String {
        var writer = CFIWriter(machine)
        if !augmentation.isEmpty { writer.addCIE(augmentation: augmentation) }
        writer.addFDE(0x2000, length: 0x40, instructions)
        return try BuiltTable(writer, executable: [0x1000..<0x3000]).text(at: 0x2000)
    }

    @Test func plainRule() throws {
        let text = try rule(CFI.defineCFAOffset(16) + CFI.offset(register: 6, factored: 2))
        #expect(text == "CFA = rsp+16, rbp = *(CFA-16), ra = *(CFA-8)")
    }

    @Test func framePointerOfTheCallee() throws {
        #expect(try rule([]) == "CFA = rsp+8, rbp = rbp, ra = *(CFA-8)")
        #expect(try rule(CFI.sameValue(register: 6)) == "CFA = rsp+8, rbp = rbp, ra = *(CFA-8)")
        #expect(try rule(CFI.undefined(register: 6)) == "CFA = rsp+8, rbp = undefined, ra = *(CFA-8)")
    }

    @Test func endOfStackAndReasons() throws {
        #expect(try rule(CFI.undefined(register: 16)) == "end of stack")
        #expect(try rule([0x3f]) == "unknown: unknown CFA instruction: the rest of the FDE can't be decoded")
    }

    @Test func flags() throws {
        #expect(try rule([], augmentation: "S") == "CFA = rsp+8, rbp = rbp, ra = *(CFA-8) (signal frame)")
        let inRegister = try rule(CFI.register(16, in: 2))
        #expect(inRegister == "CFA = rsp+8, rbp = rbp, ra = rcx (needs live registers)")
    }

    @Test func lazyPLT() throws {
        // breg7 8, breg16 0, lit15, and, lit11, ge, lit3, shl, plus
        let text = try rule(CFI.defineCFA(expression: [0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22]))
        #expect(text == "CFA = rsp+8 + (((pc & 15) >= 11) << 3), rbp = rbp, ra = *(CFA-8)")
    }

    @Test func realignedStack() throws {
        // breg6 -8, deref; rbp at breg6 0
        let text = try rule(CFI.defineCFA(expression: [0x76, 0x78, 0x06]) + CFI.saved(6, at: [0x76, 0]))
        #expect(text == "CFA = *(rbp-8), rbp = *(rbp), ra = *(CFA-8)")
        #expect(try rule(CFI.defineCFA(expression: [0x77, 16, 0x06, 0x23, 8])).hasPrefix("CFA = *(rsp+16)+8,"))
    }

    @Test func stackPointerBesideTheCFA() throws {
        // SP = *(rsp+32)
        let text = try rule(CFI.value(of: 7, expression: [0x77, 32, 0x06]))
        #expect(text == "CFA = rsp+8, rsp = *(rsp+32), rbp = rbp, ra = *(CFA-8)")
    }

    @Test func stackPointerIsNotMistakenForWhatTheCFALeavesBelow() throws {
        // The CFA's expression leaves a 5 below its result: lit5, breg7 8.
        let text = try rule(
            CFI.defineCFA(expression: [0x35, 0x77, 8]) + CFI.value(of: 7, expression: [0x77, 32, 0x06]))
        #expect(text == "unknown: the caller's stack pointer has a rule that a table can't hold")
    }

    @Test func operationsInWords() throws {
        // breg7 0, dup, deref_size 4, swap, lit3, neg, rot, plus, mul, const1s -1, shra, abs, not
        let expression: [UInt8] = [
            0x77, 0, 0x12, 0x94, 4, 0x16, 0x33, 0x1f, 0x17, 0x22, 0x1e, 0x09, 0xff, 0x26, 0x19, 0x20,
        ]
        let text = try rule(CFI.value(of: 6, expression: expression))
        #expect(text == "CFA = rsp+8, rbp = ~(abs((-(3) * (*u32(rsp) + rsp)) >> -1)), ra = *(CFA-8)")
    }

    @Test func registersOfAArch64() throws {
        let text = try rule(CFI.defineCFA(register: 29, offset: 16), .aarch64)
        #expect(text == "CFA = x29+16, x29 = x29, ra = x30 (needs live registers)")
        #expect(TableMachine.aarch64.registerName(31) == "sp")
        #expect(TableMachine.x86_64.registerName(31) == "r31")
    }

    @Test func wideOffsetHasAReason() throws {
        #expect(try rule(CFI.defineCFA(register: 7, offset: 1 << 31)) == "unknown: an offset does not fit 32 bits")
        #expect(try rule(CFI.defineCFA(register: 7, offset: 1 << 31 - 1)).hasPrefix("CFA = rsp+2147483647,"))
    }
}
