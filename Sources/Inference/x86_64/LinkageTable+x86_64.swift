extension LinkageTable {
    /// What an instruction of a table does, apart from `endbr64`. The prefix `bnd` (0xf2) changes nothing.
    private enum Operation {
        case landing
        case pushNumber
        case pushR11
        case pushSlot
        case moveNumber
        case jump
        case jumpToSlot
        case padding

        var isPush: Bool { self == .pushNumber || self == .pushR11 || self == .pushSlot }

        /// Each instruction's first bytes, as a little-endian number. Those behind them are displacements and immediates.
        static let encodings: [(mask: UInt32, value: UInt32, length: Int, operation: Operation)] = [
            (0xffff_ffff, 0xfa1e_0ff3, 4, .landing),  // endbr64
            (0xff, 0x68, 5, .pushNumber),  // push $number
            (0xffff, 0x5341, 2, .pushR11),  // push %r11
            (0xffff, 0x35ff, 6, .pushSlot),  // push slot(%rip)
            (0xffff, 0xbb41, 6, .moveNumber),  // mov $number, %r11d
            (0xff, 0xe9, 5, .jump),  // jmp entry
            (0xffff, 0xe9f2, 6, .jump),  // bnd jmp entry
            (0xffff, 0x25ff, 6, .jumpToSlot),  // jmp *slot(%rip)
            (0xff_ffff, 0x25_fff2, 7, .jumpToSlot),  // bnd jmp *slot(%rip)
            (0xff, 0x90, 1, .padding),  // nop
            (0xff, 0xcc, 1, .padding),  // int3
            (0xffff, 0x9066, 2, .padding),  // xchg %ax, %ax
            (0xff_ffff, 0x1f0f, 3, .padding),  // nopl (%rax)
            (0xff_ffff, 0x40_1f0f, 4, .padding),  // nopl 0(%rax)
            (0xffff_ffff, 0x04_1f0f, 4, .padding),  // nopl (%rax,%rax)
            (0xff_ffff, 0x44_1f0f, 5, .padding),  // nopl 0(%rax,%rax)
            (0xffff_ffff, 0x441f_0f66, 6, .padding),  // nopw 0(%rax,%rax)
        ]
    }

    private struct Instruction {
        var offset: Int
        /// Where the next one starts.
        var end: Int
        var operation: Operation
        /// SVMA that it jumps to, or of the slot that it uses.
        var target: UInt64
    }

    /// What an entry does, optionally behind `endbr64`.
    private enum Shape: CaseIterable {
        // The longest one comes first.
        case lazyStub
        case pushingStub
        case numberingStub
        case stub
        case header
        case savingHeader

        var operations: [Operation] {
            switch self {
            // bfd, gold, lld and Go. Its slot first points to the push.
            case .lazyStub: [.jumpToSlot, .pushNumber, .jump]
            // bfd's for branch tracking (and lld's, wild's) or MPX: a slot's first target; .plt.sec has the stubs.
            case .pushingStub: [.pushNumber, .jump]
            // mold
            case .numberingStub: [.moveNumber, .jumpToSlot]
            // .plt.sec, .plt.got
            case .stub: [.jumpToSlot]
            // The first entry, which calls the dynamic linker; or the one for TLS descriptors.
            case .header: [.pushSlot, .jumpToSlot]
            // mold's first entry
            case .savingHeader: [.pushR11, .pushSlot, .jumpToSlot]
            }
        }
    }

    private struct Entry {
        var offset: Int
        var shape: Shape
        /// Without `endbr64`.
        var instructions: [Instruction]
        var end: Int { instructions[instructions.count - 1].end }

        var slot: UInt64? { instructions.first { $0.operation == .pushSlot }?.target }
        /// SVMA that its last instruction jumps to, or of the slot with it.
        var target: UInt64 { instructions[instructions.count - 1].target }
        var usesNeighbours: Bool { slot.map { target == $0 &+ 8 } ?? false }
    }

    mutating func readX86_64() {
        let header = readEntry(at: 0)
        var offset = 0
        while offset < bytes.count {
            if let entry = readEntry(at: offset) {
                if let depth = depth(of: entry, header) { append(entry, depth) }
                offset = offsetBehind(entry)
            } else {
                offset = (offset | 15) + 1
            }
        }
    }

    /// CFA − rsp where an entry begins; nil if nothing proves it.
    ///
    /// - Parameter header: the table's first entry. If it is for the dynamic linker, it pushes what that knows the image by,
    ///   jumps to where the next slot says, and is reached as the stub behind it shows. Without stubs nothing reaches it.
    private func depth(of entry: Entry, _ header: Entry?) -> Int64? {
        switch entry.shape {
        case .lazyStub, .pushingStub, .numberingStub, .stub: return 8
        case .header where entry.offset == 0:
            guard entry.usesNeighbours else { return nil }
            let next = offsetBehind(entry)
            guard let stub = readEntry(at: next) else { return next < bytes.count ? nil : 16 }
            switch stub.shape {
            case .lazyStub, .pushingStub: return stub.target == address ? 16 : nil
            case .header: return depth(of: stub, entry) == nil ? nil : 16
            default: return nil
            }
        case .savingHeader:
            guard entry.offset == 0, entry.usesNeighbours, let stub = readEntry(at: offsetBehind(entry)) else {
                return nil
            }
            return stub.shape == .numberingStub ? 8 : nil
        case .header:
            // For TLS descriptors: it pushes the same, and goes elsewhere.
            return entry.slot == header?.slot && !entry.usesNeighbours ? 8 : nil
        }
    }

    /// Where the next entry may begin, behind padding. Entries have 8 or 16 bytes, mold's first one 32.
    private func offsetBehind(_ entry: Entry) -> Int {
        var offset = entry.end
        while let padding = readInstruction(at: offset), padding.operation == .padding { offset = padding.end }
        return offset & 7 == 0 ? offset : (offset | 15) + 1
    }

    private mutating func append(_ entry: Entry, _ start: Int64) {
        var depth = start
        append(entry.offset, depth: depth)
        for instruction in entry.instructions where instruction.operation.isPush {
            depth += 8
            append(instruction.end, depth: depth)
        }
        append(entry.end, depth: nil)
    }

    /// The entry at an offset; nil if it has no known shape.
    private func readEntry(at offset: Int) -> Entry? {
        var first = offset
        if let instruction = readInstruction(at: offset), instruction.operation == .landing { first = instruction.end }
        for shape in Shape.allCases {
            var instructions: [Instruction] = []
            var next = first
            for operation in shape.operations {
                guard let instruction = readInstruction(at: next), instruction.operation == operation else { break }
                instructions.append(instruction)
                next = instruction.end
            }
            if instructions.count == shape.operations.count {
                return Entry(offset: offset, shape: shape, instructions: instructions)
            }
        }
        return nil
    }

    private func readInstruction(at offset: Int) -> Instruction? {
        let start = word(at: offset)
        for encoding in Operation.encodings where start & encoding.mask == encoding.value {
            let end = offset + encoding.length
            guard end <= bytes.count else { return nil }
            let distance = Int32(bitPattern: encoding.length > 4 ? word(at: end - 4) : 0)
            return Instruction(
                offset: offset, end: end, operation: encoding.operation,
                target: address &+ UInt64(end) &+ UInt64(bitPattern: Int64(distance)))
        }
        return nil
    }
}
