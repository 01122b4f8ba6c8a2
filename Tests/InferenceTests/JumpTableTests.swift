import Inference
import Testing

/// Jump tables: as many elements count as the comparison of the index lets through.
@Suite struct JumpTableTests {
    /// cmp edi,1; ja +16; mov edi,edi; lea rdx,[rip+0x1fee]; movsxd rax,[rdx+rdi*4]; add rax,rdx; jmp rax;
    /// push rbx; pop rbx; ret; ret
    private static let relative: [UInt8] = [
        0x83, 0xff, 0x01, 0x77, 0x15, 0x89, 0xff, 0x48, 0x8d, 0x15, 0xf2, 0x1f, 0, 0, 0x48, 0x63, 0x04, 0xba, 0x48,
        0x01,
        0xd0, 0xff, 0xe0, 0x53, 0x5b, 0xc3, 0xc3,
    ]

    private static func words(_ distances: Int32...) -> [UInt8] {
        distances.flatMap { distance in withUnsafeBytes(of: distance.littleEndian) { Array($0) } }
    }

    @Test func distances() throws {
        var function = Functions(Self.relative)
        // To push rbx, and to ret; the third word is behind the table.
        function.data = [(0x3000, Self.words(0x1017 - 0x3000, 0x101a - 0x3000, 0x1001 - 0x3000))]
        #expect(
            try function.rows() == [
                "0: CFA rsp+8, rbp unchanged", "24: CFA rsp+16, rbp unchanged", "25: CFA rsp+8, rbp unchanged",
                "27: none",
            ])
    }

    @Test func tableThatIsNotInTheFile() throws {
        var function = Functions(Self.relative)
        function.data = [(0x3000, Self.words(0x1017 - 0x3000))]
        #expect(try function.failure() == .unresolvedJump)
    }

    @Test func addresses() throws {
        // push rbx; and edi,1; jmp [rdi*8+0x3000]; pop rbx; ret; pop rbx; nop; ret
        var function = Functions([
            0x53, 0x83, 0xe7, 0x01, 0xff, 0x24, 0xfd, 0x00, 0x30, 0, 0, 0x5b, 0xc3, 0x5b, 0x90, 0xc3,
        ])
        function.data = [(0x3000, [0x0b, 0x10, 0, 0, 0, 0, 0, 0, 0x0d, 0x10, 0, 0, 0, 0, 0, 0])]
        #expect(
            try function.rows() == [
                "0: CFA rsp+8, rbp unchanged", "1: CFA rsp+16, rbp unchanged", "12: CFA rsp+8, rbp unchanged",
                "13: CFA rsp+16, rbp unchanged", "14: CFA rsp+8, rbp unchanged", "16: none",
            ])
    }

    @Test func indexWithoutABound() throws {
        // push rbx; jmp [rdi*8+0x3000]
        var function = Functions([0x53, 0xff, 0x24, 0xfd, 0x00, 0x30, 0, 0])
        function.data = [(0x3000, [UInt8](repeating: 0, count: 64))]
        #expect(try function.failure() == .unresolvedJump)
    }

    @Test func boundOfAnotherValueDoesNotCount() throws {
        // push rbx; cmp edi,1; ja +9; mov edi,[rsi]; jmp [rdi*8+0x3000]; pop rbx; ret
        var function = Functions([
            0x53, 0x83, 0xff, 0x01, 0x77, 0x09, 0x8b, 0x3e, 0xff, 0x24, 0xfd, 0x00, 0x30, 0, 0, 0x5b, 0xc3,
        ])
        function.data = [(0x3000, [UInt8](repeating: 0, count: 64))]
        #expect(try function.failure() == .unresolvedJump)
    }

    @Test func boundInALoopDoesNotCountForTheNextRound() throws {
        // push rbx; L: mov rcx,rax; mov rax,[rsi]; cmp rax,1; ja +10; test edx,edx; je L; jmp [rcx*8+0x3000]; pop rbx; ret
        // In the second round rcx holds what the load gave in the first one, rax what it gives now.
        var function = Functions([
            0x53, 0x48, 0x89, 0xc1, 0x48, 0x8b, 0x06, 0x48, 0x83, 0xf8, 0x01, 0x77, 0x0b, 0x85, 0xd2, 0x74, 0xf0, 0xff,
            0x24, 0xcd, 0x00, 0x30, 0, 0, 0x5b, 0xc3,
        ])
        function.data = [(0x3000, [UInt8](repeating: 0, count: 64))]
        #expect(try function.failure() == .unresolvedJump)
    }

    @Test func boundOfMemoryThatIsLoadedNext() throws {
        // push rbx; cmp byte [rsi],1; ja +15; movzx eax,byte [rsi]; jmp [rax*8+0x3000]; (bad); pop rbx; ret
        let code: [UInt8] = [
            0x53, 0x80, 0x3e, 0x01, 0x77, 0x0b, 0x0f, 0xb6, 0x06, 0xff, 0x24, 0xc5, 0x00, 0x30, 0, 0, 0x06, 0x5b, 0xc3,
        ]
        let table: [UInt8] = [0x11, 0x10, 0, 0, 0, 0, 0, 0, 0x12, 0x10, 0, 0, 0, 0, 0, 0, 0x10, 0x10, 0, 0, 0, 0, 0, 0]
        var function = Functions(code)
        function.data = [(0x3000, table)]
        // The second element skips the pop: if it counts, the return is unbalanced. The third one is (bad).
        #expect(try function.failure() == .lostFrame)
        function.functions[0][3] = 0
        #expect(try function.failure() == nil)
        // mov [rsi],al between comparison and load
        function.functions[0] = [
            0x53, 0x80, 0x3e, 0x00, 0x77, 0x0d, 0x88, 0x06, 0x0f, 0xb6, 0x06, 0xff, 0x24, 0xc5, 0x00, 0x30, 0, 0, 0x06,
            0x5b, 0xc3,
        ]
        function.data = [(0x3000, [0x13, 0x10, 0, 0, 0, 0, 0, 0] + [0x12, 0x10, 0, 0, 0, 0, 0, 0])]
        #expect(try function.failure() == .undecodable)
    }

    @Test func tableWithoutABoundEndsWithTheFirstForeignTarget() throws {
        // push rbx; movzx eax,byte [rsi]; jmp [rax*8+0x3000]; pop rbx; ret
        var function = Functions([0x53, 0x0f, 0xb6, 0x06, 0xff, 0x24, 0xc5, 0x00, 0x30, 0, 0, 0x5b, 0xc3])
        function.data = [
            (0x3000, [0x0b, 0x10, 0, 0, 0, 0, 0, 0, 0x00, 0x50, 0, 0, 0, 0, 0, 0, 0x0c, 0x10, 0, 0, 0, 0])
        ]
        #expect(
            try function.rows() == [
                "0: CFA rsp+8, rbp unchanged", "1: CFA rsp+16, rbp unchanged", "12: CFA rsp+8, rbp unchanged",
                "13: none",
            ])
    }

    @Test func tableWithoutABoundEndsWhereCodeRefersToSomethingElse() throws {
        // push rbx; lea rdx,[rip+0x1ff8] (0x3000); lea rcx,[rip+0x1ff5] (0x3004); movzx eax,byte [rsi];
        // movsxd rax,[rdx+rax*4]; add rax,rdx; jmp rax; pop rbx; ret
        var function = Functions([
            0x53, 0x48, 0x8d, 0x15, 0xf8, 0x1f, 0, 0, 0x48, 0x8d, 0x0d, 0xf5, 0x1f, 0, 0, 0x0f, 0xb6, 0x06, 0x48, 0x63,
            0x04, 0x82, 0x48, 0x01, 0xd0, 0xff, 0xe0, 0x5b, 0xc3,
        ])
        function.data = [(0x3000, Self.words(0x101b - 0x3000, 0x101c - 0x3000))]
        // Without references, the second word counts, too, and skips the pop.
        #expect(try function.failure() == .lostFrame)
        function.findsEntries = true
        #expect(try function.failure() == nil)
    }

    @Test func boundOfTheLowBytesDoesNotCountForAllOfThem() throws {
        // push rbx; cmp dil,1; ja +7; jmp [rdi*8+0x3000]; pop rbx; ret
        var function = Functions([
            0x53, 0x40, 0x80, 0xff, 0x01, 0x77, 0x07, 0xff, 0x24, 0xfd, 0x00, 0x30, 0, 0, 0x5b, 0xc3,
        ])
        function.data = [(0x3000, [UInt8](repeating: 0, count: 64))]
        #expect(try function.failure() == .unresolvedJump)
        // movzx edi,dil in front of the jump: as many as the comparison lets through
        function.functions[0] = [
            0x53, 0x40, 0x80, 0xff, 0x01, 0x77, 0x0b, 0x40, 0x0f, 0xb6, 0xff, 0xff, 0x24, 0xfd, 0x00, 0x30, 0, 0, 0x5b,
            0xc3,
        ]
        function.data = [(0x3000, [0x12, 0x10, 0, 0, 0, 0, 0, 0, 0x12, 0x10, 0, 0, 0, 0, 0, 0])]
        #expect(try function.failure() == nil)
    }

    @Test func elementThatLeadsToTheEnd() throws {
        var function = Functions(Self.relative)
        // To push rbx, and behind the last ret
        function.data = [(0x3000, Self.words(0x1017 - 0x3000, 0x101b - 0x3000))]
        #expect(try function.failure() == nil)
        // Two bytes behind it
        function.data = [(0x3000, Self.words(0x1018 - 0x3000, 0x101d - 0x3000))]
        #expect(try function.failure() == .unbalancedReturn)
    }

    @Test func maskIsNoComparison() throws {
        // push rbx; and edi,3; jmp [rdi*8+0x3000]; pop rbx; ret: the mask lets four through, the table has one.
        var function = Functions([0x53, 0x83, 0xe7, 0x03, 0xff, 0x24, 0xfd, 0x00, 0x30, 0, 0, 0x5b, 0xc3])
        function.data = [(0x3000, [0x0b, 0x10, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 0xff, count: 24))]
        #expect(try function.failure() == nil)
        // cmp edi,1 and a branch behind the mask: the second element counts.
        function.functions[0] = [
            0x53, 0x83, 0xe7, 0x03, 0x83, 0xff, 0x01, 0x77, 0x07, 0xff, 0x24, 0xfd, 0x00, 0x30, 0, 0, 0x5b, 0xc3,
        ]
        function.data = [(0x3000, [0x10, 0x10, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 0xff, count: 24))]
        #expect(try function.failure() == .unbalancedJump)
    }
}
