import Inference
import Testing

/// Each reason why a function gets no rules. Nothing is guessed.
@Suite struct FailureTests {
    @Test func noBytes() throws {
        #expect(try Functions([]).failure() == .noBytes)
    }

    @Test func tooLarge() throws {
        // ret; int3, over and over
        let bytes = [0xc3] + [UInt8](repeating: 0xcc, count: FunctionAnalysis.sizeLimit - 1)
        #expect(try Functions(bytes).failure() == nil)
        #expect(try Functions(bytes + [0xcc]).failure() == .tooLarge)
    }

    @Test func undecodable() throws {
        // push rbx; (bad)
        let result = try Functions([0x53, 0x06]).result()
        #expect(result.failure == .undecodable)
        #expect(result.failureAddress == 0x1001)
        // An instruction that goes on behind the function's end: mov eax, with two of four bytes
        #expect(try Functions([0xb8, 0, 0]).failure() == .undecodable)
    }

    @Test func unbalancedReturn() throws {
        // push rbx; ret
        #expect(try Functions([0x53, 0xc3]).failure() == .unbalancedReturn)
        // mov rbp,rsp; ret: the caller's frame pointer is lost
        #expect(try Functions([0x48, 0x89, 0xe5, 0xc3]).failure() == .unbalancedReturn)
        // mov [rsp],rax; ret: to elsewhere
        #expect(try Functions([0x48, 0x89, 0x04, 0x24, 0xc3]).failure() != nil)
    }

    @Test func unbalancedJump() throws {
        // push rbx; jmp +0xffa: to the next function
        #expect(try Functions([0x53, 0xe9, 0xfa, 0x0f, 0, 0], [0xc3]).failure() == .unbalancedJump)
        // push rbx; jmp to where no function is
        #expect(try Functions([0x53, 0xe9, 0, 0, 1, 0]).failure() == .unbalancedJump)
    }

    @Test func unresolvedJump() throws {
        // push rbx; jmp rax
        #expect(try Functions([0x53, 0xff, 0xe0]).failure() == .unresolvedJump)
    }

    @Test func runsOut() throws {
        // push rbx
        #expect(try Functions([0x53]).failure() == .runsOut)
    }

    @Test func lostFrame() throws {
        // mov rsp,rdi; ud2
        #expect(try Functions([0x48, 0x89, 0xfc, 0x0f, 0x0b]).failure() == .lostFrame)
        // Two paths with different depths, and no call that could explain it: je +1; push rbx; ud2
        #expect(try Functions([0x74, 0x01, 0x53, 0x0f, 0x0b]).failure() == .lostFrame)
        // mov [rsp],rax; ud2: the return address is overwritten
        #expect(try Functions([0x48, 0x89, 0x04, 0x24, 0x0f, 0x0b]).failure() == .lostFrame)
    }

    @Test func tooManySteps() throws {
        // Calls that turn out, one after the other, not to return: each takes back all that was found before.
        // je +6; push rbx; call TARGET; nop, over and over; ret
        let count = 400
        var bytes: [UInt8] = []
        for number in 0..<count {
            let distance = Int32(0x100000 + number * 0x100)
            bytes += [0x74, 0x06, 0x53, 0xe8] + withUnsafeBytes(of: distance.littleEndian) { Array($0) }
        }
        #expect(try Functions(bytes + [0xc3]).failure() == .tooManySteps)
    }
}
