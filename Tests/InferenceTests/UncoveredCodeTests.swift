import Inference
import Testing

/// Functions that no call frame information covers: where they begin.
@Suite struct UncoveredCodeTests {
    // push rbx; pop rbx; ret
    private static let function: [UInt8] = [0x53, 0x5b, 0xc3]
    // nop; ret: covered
    private static let covered: [UInt8] = [0x90, 0xc3]

    private func rows(_ offset: Int) -> [String] {
        [
            "\(offset): CFA rsp+8, rbp unchanged", "\(offset + 1): CFA rsp+16, rbp unchanged",
            "\(offset + 2): CFA rsp+8, rbp unchanged", "\(offset + 3): none",
        ]
    }

    @Test func knownStart() throws {
        var program = Program()
        program.starts = [program.add(Self.function)]
        program.searchesReferences = false
        #expect(try program.rows() == rows(0))
        let code = try program.infer()
        #expect((code.gapBytes, code.ruleBytes, code.paddingBytes) == (3, 3, 0))
        #expect(code.givenUp == [:])
        #expect(code.startCounts == ["known": 1])
    }

    @Test func nothingToStartFrom() throws {
        var program = Program()
        // Not aligned: nop of one byte, which is padding, in front of it.
        program.addCovered(Self.covered)
        program.code += Self.function
        #expect(try program.rows() == [])
        #expect(try program.infer().givenUp == [UncoveredCode.noStart: 3])
    }

    @Test func onlyPadding() throws {
        var program = Program()
        program.addCovered(Self.covered)
        program.code += [0x66, 0x90, 0xcc, 0xcc, 0, 0, 0x0f, 0x1f, 0x40, 0x00]
        program.addCovered(Self.covered)
        let code = try program.infer()
        #expect(code.functions == [])
        #expect(code.paddingBytes == 14)
        #expect(code.gapBytes == 14)
        #expect(code.givenUp == [:])
    }

    @Test func startsInCoveredCodeAreNone() throws {
        var program = Program()
        program.starts = [program.addCovered(Self.function), 1]
        #expect(try program.rows() == [])
    }

    // MARK: Calls

    @Test func callsFromGaps() throws {
        var program = Program()
        program.searchesReferences = false
        // call the next but one; ret
        program.starts = [program.add(relative([0xe8], from: 0, to: 32) + [0xc3])]
        program.add(Self.function)
        let target = program.add(Self.function)
        #expect(try program.functions() == [0, target])
        #expect(try program.infer().startCounts == ["known": 1, "call": 1])
        // What nothing refers to is aligned, too.
        program.searchesReferences = true
        #expect(try program.functions() == [0, 16, target])
    }

    @Test func callsFromCoveredCode() throws {
        var program = Program()
        program.addCovered(relative([0xe8], from: 0, to: 9) + [0xc3])
        program.code += [0xcc, 0xcc, 0xcc] + Self.function
        #expect(try program.rows() == rows(9))
        program.searchesReferences = false
        #expect(try program.rows() == [])
    }

    /// Four bytes that look like a call, in the middle of an instruction.
    @Test func bytesThatOnlyLookLikeACall() throws {
        var program = Program()
        // movabs rax, 0x…e8
        let call = relative([0xe8], from: 2, to: 14)
        program.addCovered([0x48, 0xb8] + call + [0, 0, 0] + [0xc3])
        program.code += [0xcc, 0xcc, 0xcc] + Self.function
        #expect(program.code[14...] == Self.function[...])
        #expect(try program.rows() == [])
    }

    @Test func jumpsFromCoveredCodeAreNoStarts() throws {
        var program = Program()
        // jne to the next one, aligned; ret
        program.addCovered(relative([0x0f, 0x85], from: 0, to: 16) + [0xc3])
        program.add(Self.function)
        #expect(try program.rows() == [])
    }

    // MARK: Addresses

    @Test func addressesInCode() throws {
        var program = Program()
        // lea rax, [rip + …]; ret
        program.addCovered(relative([0x48, 0x8d, 0x05], from: 0, to: 9) + [0xc3])
        program.code += [0xcc] + Self.function
        #expect(try program.rows() == rows(9))
        #expect(try program.infer().startCounts == ["address": 1])
    }

    @Test func addressesAsNumbers() throws {
        // mov edi, 0x401010; ret
        var program = Program()
        program.addCovered([0xbf, 0x0b, 0x10, 0x40, 0x00, 0xc3])
        program.code += [0xcc, 0xcc, 0xcc, 0xcc, 0xcc] + Self.function
        #expect(try program.functions() == [])
        program.base = 0x40_1000
        #expect(try program.functions() == [11])
        // mov qword ptr [rax], 0x40100b; ret
        program.code.replaceSubrange(0..<8, with: [0x48, 0xc7, 0x00, 0x0b, 0x10, 0x40, 0x00, 0xc3])
        program.covered = [0..<8]
        #expect(try program.functions() == [11])
    }

    @Test(arguments: [false, true])
    func pointers(areRelocated: Bool) throws {
        var program = Program()
        program.addCovered(Self.covered)
        program.code += [0xcc] + Self.function
        if areRelocated { program.pointers = [3] } else { program.data = [7, 0x1003] }
        #expect(try program.rows() == rows(3))
        #expect(try program.infer().startCounts == ["pointer": 1])
    }

    @Test func jumpTablesAreNoPointers() throws {
        var program = Program()
        program.addCovered([0x90, 0x90, 0xc3])
        program.code += [0xcc] + Self.function
        // One of the words is in the middle of a covered function.
        program.data = [0x1001, 0x1004]
        #expect(try program.rows() == [])
    }

    @Test func alignment() throws {
        var program = Program()
        program.addCovered(Self.covered)
        program.add(Self.function)
        #expect(try program.rows() == rows(16))
        // ud2 instead of ret: it may be a part of the function in front of it.
        program.code.replaceSubrange(18..., with: [0x0f, 0x0b])
        #expect(try program.rows() == [])
        #expect(try program.infer().givenUp == [UncoveredCode.unconfirmed: 4])
        // Nor does it begin a function if it isn't code, or doesn't leave as it came.
        program.code.replaceSubrange(18..., with: [0x06])
        #expect(try program.rows() == [])
        program.code.replaceSubrange(18..., with: [0x53, 0xc3])
        #expect(try program.rows() == [])
        // Parts of functions jump to the starts of others: jmp to the covered one
        program.code.replaceSubrange(18..., with: relative([0xe9], from: 18, to: 0))
        #expect(try program.rows() == [])
        program.starts = [16]
        #expect(try program.functions() == [16])
    }

    /// A function whose call frame information ends before it does: its rest is no function.
    @Test func coveredCodeThatGoesOn() throws {
        var program = Program()
        program.addCovered([UInt8](repeating: 0x90, count: 16))
        program.add(Self.function)
        #expect(try program.rows() == [])
        program.covered = [0..<15]
        #expect(try program.functions() == [16])
    }

    /// A part of a covered function that jumps back into it.
    @Test func coldPartsAreNoFunctions() throws {
        var program = Program()
        program.addCovered([0x53, 0x90, 0x5b, 0xc3])
        program.add(relative([0x90, 0xe9], from: 16, to: 1))
        #expect(try program.rows() == [])
    }

    @Test func startWithinAnInstruction() throws {
        var program = Program()
        // mov eax, 0xc3; ret. A pointer leads to its last bytes, another one to the start of nothing.
        program.starts = [program.add([0xb8, 0xc3, 0, 0, 0, 0xc3])]
        program.pointers = [1]
        #expect(try program.rows() == ["0: CFA rsp+8, rbp unchanged", "6: none"])
        // Neither is certain.
        program.starts = []
        program.pointers = [0, 1]
        #expect(try program.rows() == [])
        #expect(try program.infer().givenUp == [UncoveredCode.conflict: 6])
    }

    /// A part that only a jump table leads to: what its function holds in a callee-saved register is its own.
    @Test func partsThatUseTheirFunctionsRegisters() throws {
        var program = Program()
        program.addCovered(Self.covered)
        // cmp ebx,1; ret
        program.add([0x83, 0xfb, 0x01, 0xc3])
        #expect(try program.rows() == [])
        #expect(try program.infer().givenUp == [UncoveredCode.unconfirmed: 4])
        // The same with edi
        program.code.replaceSubrange(17..<18, with: [0xff])
        #expect(try program.functions() == [16])
        // mov rax,[rbx+8]; ret
        program.code.replaceSubrange(16..., with: [0x48, 0x8b, 0x43, 0x08, 0xc3])
        #expect(try program.rows() == [])
    }

    @Test func returnFromASignalHandler() throws {
        var program = Program()
        // mov rax,15; syscall; ret
        program.starts = [program.add([0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05, 0xc3])]
        #expect(try program.rows() == [])
        program.code[3] = 14
        #expect(try program.functions() == [0])
    }

    /// Code that only a jump table leads to calls a function that nothing else refers to.
    @Test func callsBehindJumpTables() throws {
        var program = Program()
        program.searchesReferences = false
        // cmp edi,1; ja to the ret; mov edi,edi; lea rax,[table]; movsxd rdi,[rax+rdi*4]; add rdi,rax; jmp rdi; ret
        let table = relative([0x48, 0x8d, 0x05], from: 7, to: 0x7000)
        let jump: [UInt8] = [0x48, 0x63, 0x3c, 0xb8, 0x48, 0x01, 0xc7, 0xff, 0xe7]
        program.starts = [program.add([0x83, 0xff, 0x01, 0x77, 0x12, 0x89, 0xff] + table + jump + [0xc3])]
        let part = program.add(relative([0xe8], from: 32, to: 48) + [0xc3])
        let function = program.add(Self.function)
        let element = UInt64(UInt32(bitPattern: Int32(0x1000 + part - 0x8000)))
        program.data = [element | element << 32]
        #expect(try program.rows().suffix(4) == rows(function)[...])
        #expect(try program.infer().startCounts == ["known": 1, "call": 1])
    }

    /// Covered code calls it as the last thing that it does.
    @Test func functionsThatDoNotReturn() throws {
        var program = Program()
        // ud2
        program.addCovered([0x0f, 0x0b])
        program.addCovered(relative([0x90, 0xe8], from: 16, to: 0))
        // push rbx; call it; ret
        program.starts = [program.add([0x53] + relative([0xe8], from: 33, to: 0) + [0xc3])]
        #expect(
            try program.rows() == ["32: CFA rsp+8, rbp unchanged", "33: CFA rsp+16, rbp unchanged", "38: none"])
        // Most of its calls return.
        let calls = (0..<4).flatMap { relative([0xe8], from: 48 + 5 * $0, to: 0) }
        program.addCovered(calls + [0xc3])
        #expect(try program.rows() == [])
        #expect(try program.infer().givenUp == ["unbalancedReturn": 7])
    }
}
