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
