import Inference
import Testing

/// Code that nobody would write ends in rows or in a reason, in bounded time.
@Suite struct HostileCodeTests {
    @Test func jumpToItself() throws {
        #expect(try Functions([0xeb, 0xfe]).rows() == ["0: CFA rsp+8, rbp unchanged", "2: none"])
    }

    @Test func longChainOfJumps() throws {
        // Each jump leads over the next one; at the end both chains lead to the second one's start.
        var bytes: [UInt8] = []
        for _ in 0..<50_000 { bytes += [0xeb, 0x02] }
        bytes += [0xeb, 0x00]
        let distance = Int32(2 - bytes.count - 5)
        bytes += [0xe9] + withUnsafeBytes(of: distance.littleEndian) { Array($0) }
        #expect(try Functions(bytes).failure() == nil)
    }

    @Test func loopThatPushes() throws {
        // push rax; jmp back to it: the depth is another one in each round
        #expect(try Functions([0x50, 0xeb, 0xfd]).failure() == .lostFrame)
    }

    @Test func moreSlotsThanAreKept() throws {
        // push rbx, over and over; then push rbp; xor ebp,ebp; pop rbp; as many pops; ret
        let count = 200
        let pops = [UInt8](repeating: 0x5b, count: count)
        let bytes = [UInt8](repeating: 0x53, count: count) + [0x55, 0x31, 0xed, 0x5d] + pops + [0xc3]
        // Where rbp was saved is forgotten, so that it isn't known to be restored: no rule is wrong.
        #expect(try Functions(bytes).failure() == .unbalancedReturn)
    }

    /// 64 registers saved, and a block for every two bytes behind that: 1,168 bytes of states for each.
    @Test(arguments: [(40_000, nil), (60_000, .tooLarge)] as [(Int, InferenceFailure?)])
    func moreStatesThanAreKept(blocks: Int, failure: InferenceFailure?) throws {
        let branches = [[UInt8]](repeating: [0x74, 0x00], count: blocks).flatMap { $0 }
        let bytes = [UInt8](repeating: 0x53, count: 64) + branches + [UInt8](repeating: 0x5b, count: 64) + [0xc3]
        #expect(try Functions(bytes).failure() == failure)
    }

    /// Each jumps to the next one.
    @Test(arguments: [(256, nil), (257, .tooLarge)] as [(Int, InferenceFailure?)])
    func moreParts(count: Int, failure: InferenceFailure?) throws {
        var functions = Functions([0x50, 0xe9, 0xfa, 0x0f, 0, 0])
        // From the second one on, the jump is the first instruction.
        for number in 1..<count {
            functions.functions.append(number + 1 < count ? [0xe9, 0xfb, 0x0f, 0, 0] : [0x58, 0xc3])
        }
        functions.parts = Set(1..<count)
        #expect(try functions.failure() == failure)
    }

    /// The elements of a table count as steps, even if all lead to one place.
    @Test(arguments: [(1000, nil), (20_000, .tooManySteps)] as [(UInt32, InferenceFailure?)])
    func tableOfManyElements(count: UInt32, failure: InferenceFailure?) throws {
        // cmp edi, count - 1; ja to the end; mov eax, edi; jmp [rax*8 + 0x200000]; ret
        let limit = withUnsafeBytes(of: (count - 1).littleEndian) { Array($0) }
        let bytes: [UInt8] = [0x81, 0xff] + limit + [0x77, 0x09, 0x89, 0xf8, 0xff, 0x24, 0xc5, 0, 0, 0x20, 0, 0xc3]
        var functions = Functions(bytes)
        let target = withUnsafeBytes(of: (Functions.start + UInt64(bytes.count) - 1).littleEndian) { Array($0) }
        functions.data = [(0x20_0000, [[UInt8]](repeating: target, count: Int(count)).flatMap { $0 })]
        #expect(try functions.failure() == failure)
    }

    /// Random bytes, biased to instructions that matter here.
    @Test func randomCode() throws {
        let pieces: [[UInt8]] = [
            [0x50], [0x53], [0x55], [0x5b], [0x5d], [0xc3], [0xc9], [0x48, 0x89, 0xe5], [0x48, 0x83, 0xec], [0x74],
            [0xeb], [0xe8], [0x48, 0x83, 0xe4], [0x48, 0x29], [0xff], [0x48, 0x63], [0x48, 0x8d], [0x83], [0x77],
            [0x0f],
            [0x48, 0x8b], [0x48, 0x89], [0xf0], [0x66], [0xc8],
        ]
        var seed: UInt64 = 1
        func random(_ limit: Int) -> Int {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(seed >> 33) % limit
        }
        var failures: Set<InferenceFailure> = []
        for _ in 0..<3000 {
            var bytes: [UInt8] = []
            while bytes.count < 40 {
                if random(2) == 0 { bytes += pieces[random(pieces.count)] } else { bytes.append(UInt8(random(256))) }
            }
            var functions = Functions(bytes, [0x55, 0x5d, 0xc3])
            functions.findsEntries = random(2) == 0
            functions.data = [(0x3000, bytes)]
            if let failure = try functions.failure() { failures.insert(failure) }
        }
        #expect(failures.count >= 5)
    }
}
