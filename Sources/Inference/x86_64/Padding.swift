import CZydis

extension ProgramCode {
    /// How many of a gap's bytes are instructions that do nothing, traps (int3) or zeros. `openDecoder` must have returned
    /// before.
    public func paddingBytes(in gap: Range<UInt64>) -> Int {
        guard let bytes = bytes(at: gap.lowerBound, count: gap.count) else { return 0 }
        var (position, padding) = (0, 0)
        var instruction = Instruction()
        while position < gap.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[position..<gap.count])
            cfic_x86_decode(
                rest.baseAddress?.assumingMemoryBound(to: UInt8.self), min(rest.count, 15), &instruction)
            if rest[0] == 0xcc || rest[0] == 0 {
                instruction.length = 1
                padding += 1
            } else if instruction.operation == CFIC_X86_NOTHING {
                padding += Int(instruction.length)
            }
            position += Int(instruction.length)
        }
        return padding
    }

    /// How many bytes at the start are instructions that do nothing, traps (int3) or zeros. A mark for indirect calls
    /// (endbr64) is none of these. `openDecoder` must have returned before.
    static func leadingPadding(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return 0 }
        var position = 0
        var instruction = Instruction()
        while position < bytes.count {
            if base[position] == 0xcc || base[position] == 0 {
                position += 1
                continue
            }
            let isMark = bytes.count - position >= 4 && base[position] == 0xf3 && base[position + 3] == 0xfa
            cfic_x86_decode(base + position, min(bytes.count - position, 15), &instruction)
            guard instruction.operation == CFIC_X86_NOTHING, !isMark else { break }
            position += Int(instruction.length)
        }
        return position
    }

    /// The start of the extent behind an address, with nothing but no-ops between them, as much as aligns it to 16 bytes; nil
    /// if there is none.
    func functionBehind(_ address: UInt64) -> UInt64? {
        let aligned = (address &+ 15) & ~15
        for start in [address, aligned] where extent(at: start).map({ extents[$0].lowerBound == start }) ?? false {
            guard start > address, let bytes = bytes(at: address, count: Int(start - address)) else { return start }
            let hasNoOps = paddingBytes(in: address..<start) == Int(start - address)
            // Zeros and traps are reached by nobody.
            return hasNoOps && bytes[0] != 0 && bytes[0] != 0xcc ? start : nil
        }
        return nil
    }

    /// The text of the instruction at an address, in Intel's syntax; nil if there are no bytes. `openDecoder` must have
    /// returned before.
    public func instructionText(at address: UInt64) -> String? {
        bytes(at: address, count: 1).map { Inference.instructionText($0, at: address).text }
    }
}
