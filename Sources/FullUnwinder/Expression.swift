import CallFrameInfo

/// Evaluates the expressions of call frame information (DWARF 5 §2.5.1, §6.4.2) for a frame.
struct Expression {
    private let frame: RegisterFrame
    private let memory: StackMemory
    private var stack: [UInt64]
    private var cursor: ByteCursor
    private let section: FrameSection
    private let block: Range<Int>

    /// More than any real expression takes; a hostile one may jump in a circle. A walk may evaluate some ten thousand.
    private static let stepLimit = 100
    private static let depthLimit = 64

    /// - Parameters:
    ///   - block: the expression's bytes in the section.
    ///   - start: what the stack begins with: the CFA, or nothing for the CFA's own expression.
    init(_ block: Range<Int>, of section: FrameSection, _ frame: RegisterFrame, _ memory: StackMemory, start: [UInt64])
    {
        (self.frame, self.memory, self.section, self.block) = (frame, memory, section, block)
        stack = start
        cursor = section.cursor(block)
    }

    /// The result; nil if it can't be computed, because it needs what isn't known, or an operation has no meaning here.
    mutating func result() -> UInt64? {
        guard section.addressSize == 8, !section.isBigEndian else { return nil }
        for _ in 0..<Self.stepLimit {
            guard cursor.remaining > 0 else { return stack.last }
            guard stack.count <= Self.depthLimit, let operation = try? cursor.readU8(), run(operation) else {
                return nil
            }
        }
        return nil
    }

    /// False if the operation can't be evaluated. The numbers are those of DWARF 5, table 7.9.
    private mutating func run(_ operation: UInt8) -> Bool {
        switch operation {
        case 0x03, 0x0e, 0x0f: return push(try? cursor.read(UInt64.self))  // addr, const8u, const8s
        case 0x08: return push((try? cursor.readU8()).map { UInt64($0) })
        case 0x09: return push((try? cursor.readU8()).map { UInt64(bitPattern: Int64(Int8(bitPattern: $0))) })
        case 0x0a: return push((try? cursor.read(UInt16.self)).map { UInt64($0) })
        case 0x0b: return push((try? cursor.read(UInt16.self)).map { UInt64(bitPattern: Int64(Int16(bitPattern: $0))) })
        case 0x0c: return push((try? cursor.read(UInt32.self)).map { UInt64($0) })
        case 0x0d: return push((try? cursor.read(UInt32.self)).map { UInt64(bitPattern: Int64(Int32(bitPattern: $0))) })
        case 0x10: return push(try? cursor.readULEB())
        case 0x11: return push((try? cursor.readSLEB()).map { UInt64(bitPattern: $0) })
        case 0x06: return load(size: 8)
        case 0x94: return (try? cursor.readU8()).map { (1...8).contains($0) && load(size: Int($0)) } ?? false
        case 0x12...0x17: return arrange(operation)
        case 0x19, 0x1f, 0x20, 0x23: return unary(operation)
        case 0x1a...0x1e, 0x21, 0x22, 0x24...0x27, 0x29...0x2e: return binary(operation)
        case 0x28, 0x2f: return jump(isConditional: operation == 0x28)
        case 0x30...0x4f: return push(UInt64(operation - 0x30))
        case 0x70...0x8f: return push(register: UInt64(operation - 0x70))
        case 0x92: return (try? cursor.readULEB()).map { push(register: $0) } ?? false
        case 0x96: return true
        default: return false
        }
    }

    private mutating func push(_ value: UInt64?) -> Bool {
        guard let value else { return false }
        stack.append(value)
        return true
    }

    private mutating func push(register: UInt64) -> Bool {
        guard let offset = try? cursor.readSLEB() else { return false }
        return push(frame.register(register).map { $0 &+ UInt64(bitPattern: offset) })
    }

    private mutating func load(size: Int) -> Bool {
        guard let address = stack.popLast() else { return false }
        return push(memory.number(at: address, size: size))
    }

    private mutating func arrange(_ operation: UInt8) -> Bool {
        let depth = stack.count
        switch operation {
        case 0x13: return stack.popLast() != nil  // drop
        case 0x16:  // swap
            guard depth > 1 else { return false }
            stack.swapAt(depth - 1, depth - 2)
        case 0x17:  // rot
            guard depth > 2 else { return false }
            stack.insert(stack.removeLast(), at: depth - 3)
        default:  // dup, over, pick
            guard let index = operation == 0x15 ? try? cursor.readU8() : (operation - 0x12) >> 1, Int(index) < depth
            else { return false }
            stack.append(stack[depth - 1 - Int(index)])
        }
        return true
    }

    private mutating func unary(_ operation: UInt8) -> Bool {
        guard let top = stack.popLast() else { return false }
        switch operation {
        case 0x19: return push(Int64(bitPattern: top).magnitude)
        case 0x1f: return push(0 &- top)
        case 0x20: return push(~top)
        default: return push((try? cursor.readULEB()).map { top &+ $0 })  // plus_uconst
        }
    }

    private mutating func binary(_ operation: UInt8) -> Bool {
        guard stack.count > 1 else { return false }
        let right = stack.removeLast(), left = stack.removeLast()
        let (signedLeft, signedRight) = (Int64(bitPattern: left), Int64(bitPattern: right))
        func truth(_ value: Bool) -> UInt64 { value ? 1 : 0 }
        switch operation {
        case 0x1a: stack.append(left & right)
        case 0x1b where right != 0:
            stack.append(UInt64(bitPattern: signedLeft.dividedReportingOverflow(by: signedRight).partialValue))
        case 0x1c: stack.append(left &- right)
        case 0x1d where right != 0: stack.append(left % right)
        case 0x1e: stack.append(left &* right)
        case 0x21: stack.append(left | right)
        case 0x22: stack.append(left &+ right)
        case 0x24: stack.append(left << right)
        case 0x25: stack.append(left >> right)
        case 0x26: stack.append(UInt64(bitPattern: signedLeft >> right))
        case 0x27: stack.append(left ^ right)
        case 0x29: stack.append(truth(signedLeft == signedRight))
        case 0x2a: stack.append(truth(signedLeft >= signedRight))
        case 0x2b: stack.append(truth(signedLeft > signedRight))
        case 0x2c: stack.append(truth(signedLeft <= signedRight))
        case 0x2d: stack.append(truth(signedLeft < signedRight))
        case 0x2e: stack.append(truth(signedLeft != signedRight))
        default: return false
        }
        return true
    }

    private mutating func jump(isConditional: Bool) -> Bool {
        guard let distance = try? cursor.read(UInt16.self) else { return false }
        if isConditional {
            guard let condition = stack.popLast() else { return false }
            if condition == 0 { return true }
        }
        let target = cursor.position + Int(Int16(bitPattern: distance))
        guard target >= block.lowerBound, target <= block.upperBound else { return false }
        cursor = section.cursor(target..<block.upperBound)
        return true
    }
}
