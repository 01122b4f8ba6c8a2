import Inference
import Testing

/// Functions without call frame information that flow into each other, or change what the ABI says they keep.
@Suite struct SharedCodeTests {
    /// Two entries: the first one changes rbp and falls into the second one.
    @Test func entryThatAnotherFunctionFallsInto() throws {
        var program = Program()
        program.searchesReferences = false
        // push rbp; xor ebp,ebp
        let first = program.add([0x55, 0x31, 0xed])
        // push rbx; pop rbx; ret: as the first one's end it would leave with another depth
        let second = program.code.count
        program.code += [0x53, 0x5b, 0xc3]
        program.starts = [first, second]
        #expect(try program.rows() == [])
        #expect(try program.infer().givenUp == ["unbalancedReturn": 3, UncoveredCode.conflict: 3])
    }

    /// The same with a frame of the same depth: rbp is what differs.
    @Test func entryThatIsReachedWithAnotherFramePointer() throws {
        var program = Program()
        program.searchesReferences = false
        // xor ebp,ebp; jmp to the second one
        program.starts = [program.add([0x31, 0xed, 0xeb, 0x0c])]
        // nop; ret
        program.starts.append(program.add([0x90, 0xc3]))
        #expect(try program.rows() == [])
        #expect(try program.infer().givenUp == ["unbalancedReturn": 4, UncoveredCode.conflict: 2])
        program.starts.removeFirst()
        #expect(try program.functions() == [16])
    }

    @Test func rulesThatDifferAreDropped() throws {
        var program = Program()
        program.searchesReferences = false
        // push rbx; jmp to the shared end
        program.starts = [program.add([0x53, 0xeb, 0x1d])]
        // sub rsp,16; add rsp,8; jmp to the shared end
        program.starts.append(program.add([0x48, 0x83, 0xec, 0x10, 0x48, 0x83, 0xc4, 0x08, 0xeb, 0x06]))
        // add rsp,8; ret: the same for both
        let end = program.add([0x48, 0x83, 0xc4, 0x08, 0xc3])
        #expect(
            try program.rows().suffix(3) == [
                "\(end): CFA rsp+16, rbp unchanged", "\(end + 4): CFA rsp+8, rbp unchanged", "\(end + 5): none",
            ])
        // A third one keeps its rbp there: push rbp; jmp to the shared end, and pop it
        program.code.replaceSubrange(0..<1, with: [0x55])
        #expect(
            try program.rows().suffix(2) == ["\(end + 4): CFA rsp+8, rbp unchanged", "\(end + 5): none"])
        #expect(try program.infer().givenUp == [UncoveredCode.conflict: 4])
    }

    /// What is jumped to is a part, unless something says that it is a function.
    @Test func partsThatLieElsewhere() throws {
        var program = Program()
        program.searchesReferences = false
        // push rbx; je to the part; pop rbx; ret
        program.starts = [program.add([0x53, 0x74, 0x0d, 0x5b, 0xc3])]
        // pop rbx; ret
        program.add([0x5b, 0xc3])
        #expect(
            try program.rows() == [
                "0: CFA rsp+8, rbp unchanged", "1: CFA rsp+16, rbp unchanged", "4: CFA rsp+8, rbp unchanged", "5: none",
                "16: CFA rsp+16, rbp unchanged", "17: CFA rsp+8, rbp unchanged", "18: none",
            ])
    }

    /// What frame a covered function has there isn't known.
    @Test func partsOfCoveredFunctions() throws {
        var program = Program()
        // push rbx; jmp to the ret
        program.addCovered([0x53] + relative([0xe9], from: 1, to: 18))
        // push rbx; pop rbx; ret
        program.starts = [program.add([0x53, 0x5b, 0xc3])]
        #expect(
            try program.rows() == ["16: CFA rsp+8, rbp unchanged", "17: CFA rsp+16, rbp unchanged", "18: none"])
        #expect(try program.infer().givenUp == [UncoveredCode.conflict: 1])
    }

    // MARK: rbp

    @Test func callersOfAFunctionThatChangesTheFramePointer() throws {
        var program = Program()
        program.searchesReferences = false
        // push rbp; call the next one; pop rbp; ret
        program.starts = [program.add([0x55] + relative([0xe8], from: 1, to: 16) + [0x5d, 0xc3])]
        // xor ebp,ebp; ret
        program.add([0x31, 0xed, 0xc3])
        #expect(
            try program.rows() == [
                "0: CFA rsp+8, rbp unchanged", "1: CFA rsp+16, rbp [CFA-16]", "7: CFA rsp+8, rbp unchanged", "8: none",
            ])
        // call the next one; ret: so it changes rbp, too
        program.code.replaceSubrange(0..<8, with: relative([0xe8], from: 0, to: 16) + [0xc3, 0xcc, 0xcc])
        #expect(try program.rows() == [])
        #expect(try program.infer().givenUp == ["unbalancedReturn": 9])
    }

    @Test func functionThatEndsWithOneThatChangesTheFramePointer() throws {
        var program = Program()
        program.searchesReferences = false
        // push rbp; call the next one; ud2
        program.starts = [program.add([0x55] + relative([0xe8], from: 1, to: 16) + [0x90, 0x58, 0xc3])]
        // jmp to the next one
        program.add([0xeb, 0x0e])
        program.starts.append(program.add([0x31, 0xed, 0xc3]))
        // Behind the call rbp is unknown, and stays so when the slot is popped elsewhere.
        #expect(try program.infer().givenUp["unbalancedReturn"] ?? 0 >= 9)
    }
}
