import Inference
import Testing

/// Whatever gaps hold, each of their bytes has a rule, is padding, or has a reason for neither.
@Suite struct UncoveredBytesTests {
    @Test(arguments: 0..<40)
    func randomCode(seed: Int) throws {
        let pieces: [[UInt8]] = [
            [0x50], [0x53], [0x55], [0x5b], [0x5d], [0xc3], [0xc9], [0x48, 0x89, 0xe5], [0x74], [0xeb], [0x90], [0xcc],
            [0x48, 0x8d, 0x05], [0x48, 0x83, 0xec], [0xff, 0xe0], [0x48, 0x63, 0x04, 0x88], [0x31, 0xed], [0xe8],
            [0x00, 0x00], [0x0f, 0x1f, 0x00], [0xe9],
        ]
        var state = UInt64(seed + 1)
        func random(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % limit
        }
        var program = Program()
        let size = 20_000
        while program.code.count < size {
            let piece = pieces[random(pieces.count)]
            program.code += piece
            if piece == [0xe8] || piece == [0xe9] || piece == [0x48, 0x8d, 0x05] {
                program.code += withUnsafeBytes(of: Int32(random(2000) - 1000).littleEndian) { Array($0) }
            } else if random(4) == 0 {
                program.code.append(UInt8(random(256)))
            }
        }
        program.covered = [500..<700, 1000..<1001, 9000..<12_000]
        program.starts = (0..<20).map { _ in random(size) }
        program.pointers = (0..<200).map { _ in random(size) }
        program.data = (0..<200).map { _ in 0x1000 + UInt64(random(size)) }
        let code = try program.infer()
        #expect(code.gapBytes == program.code.count - 3201)
        #expect(code.ruleBytes + code.paddingBytes + code.givenUp.values.reduce(0, +) == code.gapBytes)
        // Functions are ascending and disjoint, and their rows are; and none is in covered code.
        var last: UInt64 = 0
        for function in code.functions {
            #expect(function.range.lowerBound >= last)
            last = function.range.upperBound
            #expect(function.rows.first?.address == function.range.lowerBound)
            #expect(function.rows.last == InferredRow(address: last, rule: nil))
            for (row, next) in zip(function.rows, function.rows.dropFirst()) {
                #expect(row.address < next.address && row.rule != next.rule)
            }
            for covered in program.covered {
                let range = 0x1000 + UInt64(covered.lowerBound)..<0x1000 + UInt64(covered.upperBound)
                #expect(!function.range.overlaps(range))
            }
        }
        var bytes = 0
        for function in code.functions {
            for (row, next) in zip(function.rows, function.rows.dropFirst()) where row.rule != nil {
                bytes += Int(next.address - row.address)
            }
        }
        #expect(bytes == code.ruleBytes)
    }
}
