import CZydis
import Search

/// What covered code and data refer to in gaps.
extension StartSearch {
    // MARK: Covered code

    /// Finds calls of, jumps to, and addresses of places in gaps.
    ///
    /// Bytes are searched first. Only where they look like such an instruction, the function is decoded from its start: the
    /// instruction must be one of it.
    mutating func scanCovered() {
        var hits: [Int] = []
        for extent in code.extents {
            guard let bytes = code.bytes(at: extent.lowerBound, count: extent.count) else { continue }
            hits.removeAll(keepingCapacity: true)
            Self.forEachOperand(bytes, count: extent.count, address: extent.lowerBound, isFixed: isFixed) {
                position, target in
                if self.bytes.gap(at: target) != nil, hits.last != position { hits.append(position) }
            }
            if !hits.isEmpty { confirm(hits, bytes, extent) }
        }
        jumpTargets.sort()
    }

    /// SVMAs that covered functions call as the last thing that they do, one time in four at least: those don't return.
    /// Compilers leave nothing behind such a call.
    static func callsAtEnds(_ code: ProgramCode) -> Set<UInt64> {
        var ends: [UInt64: Int] = [:]
        for extent in code.extents where extent.count >= 5 {
            guard let call = code.bytes(at: extent.upperBound - 5, count: 5), call[0] == 0xe8 else { continue }
            let distance = call.loadUnaligned(fromByteOffset: 1, as: Int32.self)
            let target = extent.upperBound &+ UInt64(bitPattern: Int64(distance))
            // Else these bytes are the end of another instruction.
            let isWithin = code.extent(at: target).map { code.extents[$0].lowerBound != target } ?? false
            if !isWithin { ends[target, default: 0] += 1 }
        }
        var calls = ends.mapValues { _ in 0 }
        for extent in ends.isEmpty ? [] : code.extents where extent.count >= 5 {
            guard let bytes = code.bytes(at: extent.lowerBound, count: extent.count) else { continue }
            for position in 0...extent.count - 5 where bytes[position] == 0xe8 {
                let distance = bytes.loadUnaligned(fromByteOffset: position + 1, as: Int32.self)
                calls[extent.lowerBound &+ UInt64(position + 5) &+ UInt64(bitPattern: Int64(distance))]? += 1
            }
        }
        // One of several: code that can't be reached is left out behind other calls, too.
        return Set(ends.filter { 4 * $1 >= calls[$0] ?? 0 && ($1 > 1 || calls[$0] == 1) }.keys)
    }

    /// Which addresses in data covered code refers to, if they are near behind such that code in gaps refers to: jump tables
    /// end there at the latest.
    func coveredReferences(near known: [UInt64]) -> [UInt64] {
        guard let first = known.first, let last = known.last else { return [] }
        let reach = UInt64(8 * JumpTables.unboundedLimit)
        var found: [UInt64] = []
        for extent in code.extents {
            guard let bytes = code.bytes(at: extent.lowerBound, count: extent.count) else { continue }
            Self.forEachOperand(bytes, count: extent.count, address: extent.lowerBound, isFixed: isFixed) { _, target in
                guard target > first, target < last &+ reach, let index = known.lastIndex(atMost: target, by: { $0 })
                else { return }
                if target != known[index], target - known[index] < reach { found.append(target) }
            }
        }
        return found
    }

    /// Calls `body` with the position of each byte that may be an opcode with an address as its operand, and the address.
    @inline(__always)
    private static func forEachOperand(
        _ bytes: UnsafeRawBufferPointer, count: Int, address: UInt64, isFixed: Bool, _ body: (Int, UInt64) -> Void
    ) {
        guard count > 4, let base = bytes.baseAddress else { return }
        func relative(_ position: Int, _ operand: Int) {
            guard operand + 4 <= count else { return }
            let distance = base.loadUnaligned(fromByteOffset: operand, as: Int32.self)
            body(position, address &+ UInt64(operand + 4) &+ UInt64(bitPattern: Int64(distance)))
        }
        func absolute(_ position: Int, _ operand: Int) {
            guard operand + 4 <= count else { return }
            let number = base.loadUnaligned(fromByteOffset: operand, as: Int32.self)
            body(position, UInt64(bitPattern: Int64(number)))
        }
        for position in 0..<count - 4 {
            let opcode = base.load(fromByteOffset: position, as: UInt8.self)
            // call, jmp, lea, jcc; mov, push
            switch opcode {
            case 0xe8, 0xe9: relative(position, position + 1)
            case 0x8d:
                if base.load(fromByteOffset: position + 1, as: UInt8.self) & 0xc7 == 0x05 {
                    relative(position, position + 2)
                }
            case 0x0f:
                if base.load(fromByteOffset: position + 1, as: UInt8.self) & 0xf0 == 0x80 {
                    relative(position, position + 2)
                }
            case 0x68, 0xb8...0xbf: if isFixed { absolute(position, position + 1) }
            case 0xc7: if isFixed { for operand in [2, 3, 4, 6, 7] { absolute(position, position + operand) } }
            default: break
            }
        }
    }

    /// Decodes a function to see which of the bytes found are in instructions that refer to a gap.
    private mutating func confirm(_ hits: [Int], _ bytes: UnsafeRawBufferPointer, _ extent: Range<UInt64>) {
        guard let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
        var (position, hit) = (0, 0)
        var instruction = Instruction()
        while position < extent.count, hit < hits.count {
            cfic_x86_decode(base + position, min(extent.count - position, 15), &instruction)
            let end = position + Int(instruction.length)
            if hits[hit] < end {
                take(instruction, base + position, extent.lowerBound + UInt64(end))
                while hit < hits.count, hits[hit] < end { hit += 1 }
            }
            position = end
        }
    }

    private mutating func take(_ instruction: Instruction, _ bytes: UnsafePointer<UInt8>, _ next: UInt64) {
        let target = next &+ UInt64(bitPattern: instruction.immediate)
        switch instruction.operation {
        case CFIC_X86_CALL: add(target, .call)
        case CFIC_X86_JUMP, CFIC_X86_BRANCH: if self.bytes.gap(at: target) != nil { jumpTargets.append(target) }
        default:
            if let address = instruction.reference(bytes, next: next, isFixed: isFixed) { add(address, .address) }
        }
    }

    // MARK: Data

    /// Adds what aligned words point to. A run of words is a jump table if one of them is an address within a function, or isn't
    /// aligned as functions are.
    mutating func scan(_ data: [ProgramCode.Piece]) {
        guard let first = bytes.gaps.first?.range.lowerBound, let last = bytes.gaps.last?.range.upperBound else {
            return
        }
        // Words outside of these lead to no code.
        let lowest = min(first, code.extents.first?.lowerBound ?? first)
        let highest = max(last, code.extents.last?.upperBound ?? last)
        let tables = Set(self.tables)
        for piece in data {
            let skipped = Int((8 - piece.address & 7) & 7)
            let count = (piece.bytes.count - skipped) / 8
            var index = 0
            while index < count {
                var (isTable, isUnaligned) = (false, false)
                let run = index
                while index < count {
                    let offset = skipped + index * 8
                    let word = piece.bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                    guard word >= lowest, word < highest, let isWithin = isWithinFunction(word) else { break }
                    if isWithin || tables.contains(piece.address &+ UInt64(offset)) { isTable = true }
                    if word & 15 != 0, code.extent(at: word) == nil, starts[word] == nil { isUnaligned = true }
                    index += 1
                }
                if !isTable, !isUnaligned || index == run + 1 {
                    for element in run..<index {
                        add(piece.bytes.loadUnaligned(fromByteOffset: skipped + element * 8, as: UInt64.self), .pointer)
                    }
                }
                index += 1
            }
        }
    }

    /// Whether an address of code is known to be none at which a function begins; nil if it isn't one of code.
    private func isWithinFunction(_ address: UInt64) -> Bool? {
        if let extent = code.extent(at: address) { return code.extents[extent].lowerBound != address }
        guard let byte = byte(at: address) else { return nil }
        return bytes.isRest(byte) || bytes.isStart(byte) && starts[address] == nil && address & 15 != 0
    }
}
