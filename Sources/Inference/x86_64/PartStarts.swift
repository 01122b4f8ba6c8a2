import Search

extension StartSearch {
    /// Where covered code jumps to, as far as instructions begin there. SVMAs in ascending order.
    var sharedStarts: [UInt64] {
        jumpTargets.reduce(into: []) { found, target in
            guard found.last != target, let byte = byte(at: target), !bytes.isRest(byte) else { return }
            found.append(target)
        }
    }

    /// Where jumps lead from one function's bytes to another's: parts begin there that functions may share.
    ///
    /// - Parameter starts: where functions begin, ascending. A function's bytes go on to the next one's.
    /// - Returns: SVMAs in ascending order, without `starts`.
    func partStarts(_ starts: [UInt64]) -> [UInt64] {
        var parts: Set<UInt64> = []
        // The number of starts at or in front of the instruction.
        var number = 0
        for gap in bytes.gaps {
            let limit = gap.first + gap.range.count
            var byte = bytes.nextReached(from: gap.first, to: limit)
            while byte < limit {
                defer { byte = bytes.nextReached(from: byte + 1, to: limit) }
                guard bytes.isStart(byte) else { continue }
                let offset = byte - gap.first
                let address = gap.range.lowerBound + UInt64(offset)
                while number < starts.count, starts[number] <= address { number += 1 }
                guard let target = Self.jumpTarget(gap.bytes, offset, address) else { continue }
                let isOwn =
                    number > 0 && target >= starts[number - 1] && (number == starts.count || target < starts[number])
                if isOwn || self.starts[target] != nil { continue }
                guard let reached = self.byte(at: target), bytes.isStart(reached), !bytes.isRest(reached) else {
                    continue
                }
                parts.insert(target)
            }
        }
        return parts.sorted()
    }

    /// The target of a direct jump (Intel SDM, JMP and Jcc), at an offset at which an instruction begins; nil if it is another
    /// instruction.
    private static func jumpTarget(_ bytes: UnsafeRawBufferPointer, _ offset: Int, _ address: UInt64) -> UInt64? {
        var position = offset
        // bnd, and hints for branches.
        while position < bytes.count, [0xf2, 0x2e, 0x3e].contains(bytes[position]) { position += 1 }
        guard position + 2 <= bytes.count else { return nil }
        var size = 0
        switch bytes[position] {
        case 0x70...0x7f, 0xe0...0xe3, 0xeb: (position, size) = (position + 1, 1)
        case 0xe9: (position, size) = (position + 1, 4)
        case 0x0f where bytes[position + 1] & 0xf0 == 0x80: (position, size) = (position + 2, 4)
        default: return nil
        }
        guard position + size <= bytes.count else { return nil }
        let distance =
            size == 1
            ? Int64(Int8(bitPattern: bytes[position]))
            : Int64(bytes.loadUnaligned(fromByteOffset: position, as: Int32.self))
        return address &+ UInt64(position + size - offset) &+ UInt64(bitPattern: distance)
    }
}
