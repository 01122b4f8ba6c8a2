import Inference
import Testing

/// Rows of functions whose rows are known, written by hand.
@Suite struct RowTests {
    @Test func leafOfOneInstruction() throws {
        #expect(try Functions([0xc3]).rows() == ["0: CFA rsp+8, rbp unchanged", "1: none"])
    }

    @Test func pushesSubtractionAndPops() throws {
        // push rbx; push rbp; sub rsp,24; add rsp,24; pop rbp; pop rbx; ret
        let function = Functions([0x53, 0x55, 0x48, 0x83, 0xec, 0x18, 0x48, 0x83, 0xc4, 0x18, 0x5d, 0x5b, 0xc3])
        #expect(
            try function.rows() == [
                "0: CFA rsp+8, rbp unchanged", "1: CFA rsp+16, rbp unchanged", "2: CFA rsp+24, rbp [CFA-24]",
                "6: CFA rsp+48, rbp [CFA-24]", "10: CFA rsp+24, rbp [CFA-24]", "11: CFA rsp+16, rbp unchanged",
                "12: CFA rsp+8, rbp unchanged", "13: none",
            ])
    }

    @Test func framePointer() throws {
        // push rbp; mov rbp,rsp; sub rsp,64; leave; ret
        let function = Functions([0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x40, 0xc9, 0xc3])
        #expect(
            try function.rows() == [
                "0: CFA rsp+8, rbp unchanged", "1: CFA rsp+16, rbp [CFA-16]", "4: CFA rbp+16, rbp [CFA-16]",
                "9: CFA rsp+8, rbp unchanged", "10: none",
            ])
    }

    @Test func enterAndLeave() throws {
        // enter 32,0; leave; ret
        #expect(
            try Functions([0xc8, 0x20, 0x00, 0x00, 0xc9, 0xc3]).rows() == [
                "0: CFA rsp+8, rbp unchanged", "4: CFA rbp+16, rbp [CFA-16]", "5: CFA rsp+8, rbp unchanged", "6: none",
            ])
    }

    @Test func stackPointerByAddress() throws {
        // lea rsp,[rsp-136]; lea rsp,[rsp+136]; ret
        #expect(
            try Functions([
                0x48, 0x8d, 0xa4, 0x24, 0x78, 0xff, 0xff, 0xff, 0x48, 0x8d, 0xa4, 0x24, 0x88, 0, 0, 0, 0xc3,
            ]).rows() == [
                "0: CFA rsp+8, rbp unchanged", "8: CFA rsp+144, rbp unchanged", "16: CFA rsp+8, rbp unchanged",
                "17: none",
            ])
    }

    @Test func subtractionOfARegisterWithAKnownNumber() throws {
        // mov eax,0x2000; sub rsp,rax; add rsp,0x2000; ret
        #expect(
            try Functions([0xb8, 0, 0x20, 0, 0, 0x48, 0x29, 0xc4, 0x48, 0x81, 0xc4, 0, 0x20, 0, 0, 0xc3]).rows() == [
                "0: CFA rsp+8, rbp unchanged", "8: CFA rsp+8200, rbp unchanged", "15: CFA rsp+8, rbp unchanged",
                "16: none",
            ])
    }

    @Test func allocationOfAnUnknownSize() throws {
        // push rbp; mov rbp,rsp; sub rsp,rdi; call +0x100; leave; ret
        let function = Functions([0x55, 0x48, 0x89, 0xe5, 0x48, 0x29, 0xfc, 0xe8, 0, 1, 0, 0, 0xc9, 0xc3])
        #expect(
            try function.rows() == [
                "0: CFA rsp+8, rbp unchanged", "1: CFA rsp+16, rbp [CFA-16]", "4: CFA rbp+16, rbp [CFA-16]",
                "13: CFA rsp+8, rbp unchanged", "14: none",
            ])
    }

    @Test func loopThatProbesTheStack() throws {
        // lea r11,[rsp-0x4000]; sub rsp,0x1000; or qword [rsp],0; cmp rsp,r11; jne -20; add rsp,0x4000; ret
        let function = Functions([
            0x4c, 0x8d, 0x9c, 0x24, 0x00, 0xc0, 0xff, 0xff,
            0x48, 0x81, 0xec, 0x00, 0x10, 0x00, 0x00, 0x48, 0x83, 0x0c, 0x24, 0x00, 0x4c, 0x39, 0xdc, 0x75, 0xef,
            0x48, 0x81, 0xc4, 0x00, 0x40, 0x00, 0x00, 0xc3,
        ])
        #expect(
            try function.rows() == [
                "0: CFA rsp+8, rbp unchanged", "8: CFA r11+16392, rbp unchanged", "25: CFA rsp+16392, rbp unchanged",
                "32: CFA rsp+8, rbp unchanged", "33: none",
            ])
    }

    @Test func realignedStack() throws {
        // lea r10,[rsp+8]; and rsp,-32; push [r10-8]; push rbp; mov rbp,rsp; push r10; sub rsp,40; add rsp,40; pop r10;
        // pop rbp; lea rsp,[r10-8]; ret
        let function = Functions([
            0x4c, 0x8d, 0x54, 0x24, 0x08, 0x48, 0x83, 0xe4, 0xe0, 0x41, 0xff, 0x72, 0xf8, 0x55, 0x48, 0x89, 0xe5, 0x41,
            0x52, 0x48, 0x83, 0xec, 0x28, 0x48, 0x83, 0xc4, 0x28, 0x41, 0x5a, 0x5d, 0x49, 0x8d, 0x62, 0xf8, 0xc3,
        ])
        #expect(
            try function.rows() == [
                "0: CFA rsp+8, rbp unchanged", "9: CFA r10, rbp unchanged", "17: CFA r10, rbp [rbp]",
                "30: CFA r10, rbp unchanged", "34: CFA rsp+8, rbp unchanged", "35: none",
            ])
    }

    @Test func realignedStackBehindACall() throws {
        // As above, but a call in the middle changes r10: the CFA is in memory.
        let function = Functions([
            0x4c, 0x8d, 0x54, 0x24, 0x08, 0x48, 0x83, 0xe4, 0xe0, 0x41, 0xff, 0x72, 0xf8, 0x55, 0x48, 0x89, 0xe5, 0x41,
            0x52, 0xe8, 0x00, 0x10, 0x00, 0x00, 0x41, 0x5a, 0x5d, 0x49, 0x8d, 0x62, 0xf8, 0xc3,
        ])
        #expect(try function.rows().contains("24: CFA [rbp-8], rbp [rbp]"))
    }

    @Test func bothSidesOfABranch() throws {
        // test edi,edi; je +5; push rbx; pop rbx; nop; nop; nop; ret
        let function = Functions([0x85, 0xff, 0x74, 0x05, 0x53, 0x5b, 0x90, 0x90, 0x90, 0xc3])
        #expect(
            try function.rows() == [
                "0: CFA rsp+8, rbp unchanged", "5: CFA rsp+16, rbp unchanged", "6: CFA rsp+8, rbp unchanged",
                "10: none",
            ])
    }

    @Test func callOfAFunctionThatDoesNotReturn() throws {
        // test edi,edi; je +6; push rbx; call +0x100; ret
        // Behind the call the stack is deeper than at the branch's target: it doesn't return.
        let function = Functions([0x85, 0xff, 0x74, 0x06, 0x53, 0xe8, 0, 1, 0, 0, 0xc3])
        #expect(
            try function.rows() == [
                "0: CFA rsp+8, rbp unchanged", "5: CFA rsp+16, rbp unchanged", "10: CFA rsp+8, rbp unchanged",
                "11: none",
            ])
    }

    @Test func callAtTheEnd() throws {
        // push rbx; call +0x100
        #expect(
            try Functions([0x53, 0xe8, 0, 1, 0, 0]).rows() == [
                "0: CFA rsp+8, rbp unchanged", "1: CFA rsp+16, rbp unchanged", "6: none",
            ])
    }

    @Test func codeThatNothingReachesGetsNoRule() throws {
        // jmp +2; nop; nop; ret; int3
        #expect(
            try Functions([0xeb, 0x02, 0x90, 0x90, 0xc3, 0xcc]).rows() == [
                "0: CFA rsp+8, rbp unchanged", "2: none", "4: CFA rsp+8, rbp unchanged", "5: none",
            ])
    }

    @Test func jumpBehindAPrefix() throws {
        // jne +1; lock; cmpxchg [rdi],esi; ret: both readings have the same state.
        #expect(
            try Functions([0x75, 0x01, 0xf0, 0x0f, 0xb1, 0x37, 0xc3]).rows() == [
                "0: CFA rsp+8, rbp unchanged", "7: none",
            ])
    }

    @Test func returnAddressThatIsTaken() throws {
        // call +0; pop rax; ret
        #expect(
            try Functions([0xe8, 0, 0, 0, 0, 0x58, 0xc3]).rows() == [
                "0: CFA rsp+8, rbp unchanged", "5: CFA rsp+16, rbp unchanged", "6: CFA rsp+8, rbp unchanged", "7: none",
            ])
    }

    @Test func partThatLiesElsewhere() throws {
        // push rbx; je +0xff9; pop rbx; ret. The other part: call +0x100; jmp -0x1005
        var functions = Functions(
            [0x53, 0x0f, 0x84, 0xf9, 0x0f, 0, 0, 0x5b, 0xc3], [0xe8, 0, 1, 0, 0, 0xe9, 0xfd, 0xef, 0xff, 0xff])
        functions.parts = [1]
        #expect(
            try functions.rows() == [
                "0: CFA rsp+8, rbp unchanged", "1: CFA rsp+16, rbp unchanged", "8: CFA rsp+8, rbp unchanged",
                "9: none", "4096: CFA rsp+16, rbp unchanged", "4106: none",
            ])
        #expect(try functions.result().extents == [0, 1])
    }

    @Test func tailCalls() throws {
        // jmp +0xffb: to the start of the next function
        let functions = Functions([0xe9, 0xfb, 0x0f, 0, 0], [0xc3])
        #expect(try functions.rows() == ["0: CFA rsp+8, rbp unchanged", "5: none"])
        #expect(try functions.result().tailCalls == [1])
        // jmp rax; jmp [rip]
        #expect(try Functions([0xff, 0xe0]).failure() == nil)
        #expect(try Functions([0xff, 0x25, 0, 0, 0, 0]).failure() == nil)
    }

    @Test func landingPad() throws {
        // push rbx; call +0x100; pop rbx; ret; mov rdi,rax; pop rbx; ret
        var function = Functions([0x53, 0xe8, 0, 1, 0, 0, 0x5b, 0xc3, 0x48, 0x89, 0xc7, 0x5b, 0xc3])
        let without = try function.rows()
        #expect(without.last == "8: none")
        function.callSites = [0: [.init(calls: 0x1001..<0x1006, landingPad: 0x1008)]]
        #expect(
            try function.rows().suffix(3) == [
                "8: CFA rsp+16, rbp unchanged", "12: CFA rsp+8, rbp unchanged", "13: none",
            ])
    }

    @Test func continuesInTheMiddleOfAnotherFunction() throws {
        // push rbx; jmp +0xffb: behind the other one's push rbx. The other one: push rbx; pop rbx; ret
        let functions = Functions([0x53, 0xe9, 0xfb, 0x0f, 0, 0], [0x53, 0x5b, 0xc3])
        #expect(
            try functions.rows() == [
                "0: CFA rsp+8, rbp unchanged", "1: CFA rsp+16, rbp unchanged", "6: none",
                "4097: CFA rsp+16, rbp unchanged", "4098: CFA rsp+8, rbp unchanged", "4099: none",
            ])
        // It stays another function.
        #expect(try functions.result().extents == [0])
        // push rbx; jmp behind the other one's pop: unbalanced
        #expect(try Functions([0x53, 0xe9, 0xfc, 0x0f, 0, 0], [0x53, 0x5b, 0xc3]).failure() == .unbalancedReturn)
    }

    @Test func fallsIntoTheNextFunction() throws {
        // xor eax,eax, over and over; then the next function
        let long = [UInt8](repeating: 0x90, count: 0x1000)
        #expect(try Functions(long, [0xc3]).failure() == nil)
        // With a push in front of it the stack is deeper.
        #expect(try Functions([0x53] + long.dropLast(), [0xc3]).failure() == .unbalancedJump)
    }

    @Test func subtractionOfABoundedNumber() throws {
        // mov rax,rsp; and rdi,0x3c0; sub rsp,rdi; sub rsp,32; mov [rsp+24],rax; call +0x100; mov rsp,[rsp+24]; ret
        let function = Functions([
            0x48, 0x89, 0xe0, 0x48, 0x81, 0xe7, 0xc0, 0x03, 0, 0, 0x48, 0x29, 0xfc, 0x48, 0x83, 0xec, 0x20, 0x48, 0x89,
            0x44, 0x24, 0x18, 0xe8, 0, 1, 0, 0, 0x48, 0x8b, 0x64, 0x24, 0x18, 0xc3,
        ])
        #expect(
            try function.rows() == [
                "0: CFA rsp+8, rbp unchanged", "13: CFA rax+8, rbp unchanged", "27: CFA [rsp+24]+8, rbp unchanged",
                "32: CFA rsp+8, rbp unchanged", "33: none",
            ])
    }

    @Test func slotsBelowTheStackPointerDoNotCount() throws {
        // mov [rsp-8],rbp; xor ebp,ebp; mov rbp,[rsp-8]; ret: a signal handler may overwrite what it is read from.
        let function = Functions([0x48, 0x89, 0x6c, 0x24, 0xf8, 0x31, 0xed, 0x48, 0x8b, 0x6c, 0x24, 0xf8, 0xc3])
        #expect(
            try function.rows() == [
                "0: CFA rsp+8, rbp unchanged", "7: CFA rsp+8, rbp unknown", "12: CFA rsp+8, rbp unchanged", "13: none",
            ])
    }

    @Test func calleesOverwriteWhatIsBelowTheStackPointer() throws {
        // mov [rsp-8],rbp; xor ebp,ebp; call +0x100; mov rbp,[rsp-8]; ret
        let function = Functions([
            0x48, 0x89, 0x6c, 0x24, 0xf8, 0x31, 0xed, 0xe8, 0, 1, 0, 0, 0x48, 0x8b, 0x6c, 0x24, 0xf8, 0xc3,
        ])
        #expect(try function.failure() == .unbalancedReturn)
    }

    @Test func storesOverwriteSlotsInPart() throws {
        // push rbp; mov dword [rsp+4],0; pop rbp; ret
        #expect(try Functions([0x55, 0xc7, 0x44, 0x24, 0x04, 0, 0, 0, 0, 0x5d, 0xc3]).failure() == .unbalancedReturn)
        // push rbp; push rax; movups [rsp],xmm0; pop rax; pop rbp; ret
        #expect(try Functions([0x55, 0x50, 0x0f, 0x11, 0x04, 0x24, 0x58, 0x5d, 0xc3]).failure() == .unbalancedReturn)
    }

    @Test func jumpIntoABlockThatWasWalked() throws {
        // mov rbx,rbp; xor ebp,ebp; L: test edi,edi; je +5; mov rbp,rbx; jmp L; ud2
        // Where the jump arrives, rbp is restored on one path only.
        let function = Functions([
            0x48, 0x89, 0xeb, 0x31, 0xed, 0x85, 0xff, 0x74, 0x05, 0x48, 0x89, 0xdd, 0xeb, 0xf7, 0x0f, 0x0b,
        ])
        #expect(
            try function.rows() == [
                "0: CFA rsp+8, rbp unchanged", "5: CFA rsp+8, rbp unknown", "12: CFA rsp+8, rbp unchanged",
                "14: CFA rsp+8, rbp unknown", "16: none",
            ])
    }

    @Test func fallsIntoTheNextFunctionThroughPadding() throws {
        // Eight no-ops between the two
        var functions = Functions([UInt8](repeating: 0x90, count: 0xff8), [0xc3])
        functions.data = [(0x1ff8, [UInt8](repeating: 0x90, count: 8))]
        #expect(try functions.failure() == nil)
        functions.data = [(0x1ff8, [UInt8](repeating: 0xcc, count: 8))]
        #expect(try functions.failure() == .runsOut)
        functions.data = [(0x1ff8, [0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x31, 0xc0])]
        #expect(try functions.failure() == .runsOut)
    }

    @Test func tailCallOfAPartIsNoPart() throws {
        // jmp +0xffb: the stack is as at the entry, so that the part is a function after all.
        var functions = Functions([0xe9, 0xfb, 0x0f, 0, 0], [0xc3])
        functions.parts = [1]
        #expect(try functions.result().tailCalls == [1])
        #expect(try functions.result().extents == [0])
    }

    @Test func barrierKeepsTheReturnAddress() throws {
        // lock or dword ptr [rsp],0; ret
        #expect(try Functions([0xf0, 0x83, 0x0c, 0x24, 0x00, 0xc3]).failure() == nil)
        // lock or dword ptr [rsp],1; ret
        #expect(try Functions([0xf0, 0x83, 0x0c, 0x24, 0x01, 0xc3]).failure() == .lostFrame)
    }
}
