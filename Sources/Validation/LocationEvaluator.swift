import CLibdw

/// Evaluates location descriptions (DWARF 5 §2.5, §2.6), in libdw's form, for a frame.
struct LocationEvaluator<Frame: FrameContext> {
    private let frame: Frame
    private let cfa: UInt64?
    private var stack: [UInt64] = []

    init(_ frame: Frame, cfa: UInt64?) {
        self.frame = frame
        self.cfa = cfa
    }

    /// The top of the stack after all operations: the CFA, if these are a CFA's operations. Nil if one fails.
    mutating func result<Operations: RandomAccessCollection<Dwarf_Op>>(_ operations: Operations) -> UInt64? {
        for operation in operations where !run(operation) { return nil }
        return stack.last
    }

    /// The value at a register's location: read from memory or another register, or computed.
    mutating func value(_ operations: [Dwarf_Op]) -> UInt64? {
        guard let last = operations.last else { return nil }
        if operations.count == 1, let register = Self.register(last) { return frame.register(register) }
        if Int(last.atom) == DW_OP_stack_value { return result(operations.dropLast()) }
        return result(operations).flatMap { frame.number(at: $0, size: 8) }
    }

    /// The register that an operation designates as a location; nil for other operations.
    private static func register(_ operation: Dwarf_Op) -> UInt64? {
        let atom = Int(operation.atom)
        if atom == DW_OP_regx { return operation.number }
        return (DW_OP_reg0...DW_OP_reg31).contains(atom) ? UInt64(atom - DW_OP_reg0) : nil
    }

    /// False if the operation can't be evaluated.
    private mutating func run(_ operation: Dwarf_Op) -> Bool {
        let atom = Int(operation.atom)
        switch atom {
        case DW_OP_call_frame_cfa:
            guard let cfa else { return false }
            stack.append(cfa)
        case DW_OP_breg0...DW_OP_breg31:
            return push(frame.register(UInt64(atom - DW_OP_breg0)).map { $0 &+ operation.number })
        case DW_OP_bregx: return push(frame.register(operation.number).map { $0 &+ operation.number2 })
        case DW_OP_lit0...DW_OP_lit31: stack.append(UInt64(atom - DW_OP_lit0))
        case DW_OP_const1u, DW_OP_const1s, DW_OP_const2u, DW_OP_const2s, DW_OP_const4u, DW_OP_const4s, DW_OP_const8u,
            DW_OP_const8s, DW_OP_constu, DW_OP_consts, DW_OP_addr:
            // libdw has sign-extended the signed ones.
            stack.append(operation.number)
        case DW_OP_plus_uconst: return unary { $0 &+ operation.number }
        case DW_OP_deref: return load(size: 8)
        case DW_OP_deref_size where (1...8).contains(operation.number): return load(size: Int(operation.number))
        case DW_OP_neg: return unary { 0 &- $0 }
        case DW_OP_not: return unary { ~$0 }
        case DW_OP_abs: return unary { Int64(bitPattern: $0).magnitude }
        case DW_OP_nop: break
        case DW_OP_dup, DW_OP_over, DW_OP_pick, DW_OP_drop, DW_OP_swap, DW_OP_rot:
            return arrange(atom, operation.number)
        default: return binary(atom)
        }
        return true
    }

    private mutating func push(_ value: UInt64?) -> Bool {
        guard let value else { return false }
        stack.append(value)
        return true
    }

    private mutating func load(size: Int) -> Bool {
        guard let address = stack.popLast() else { return false }
        return push(frame.number(at: address, size: size))
    }

    private mutating func unary(_ body: (UInt64) -> UInt64) -> Bool {
        guard let top = stack.popLast() else { return false }
        stack.append(body(top))
        return true
    }

    private mutating func arrange(_ atom: Int, _ operand: UInt64) -> Bool {
        let depth = stack.count
        switch atom {
        case DW_OP_drop: return stack.popLast() != nil
        case DW_OP_swap:
            guard depth > 1 else { return false }
            stack.swapAt(depth - 1, depth - 2)
        case DW_OP_rot:
            guard depth > 2 else { return false }
            stack.insert(stack.removeLast(), at: depth - 3)
        default:
            let index = atom == DW_OP_dup ? 0 : atom == DW_OP_over ? 1 : operand
            guard index < depth else { return false }
            stack.append(stack[depth - 1 - Int(index)])
        }
        return true
    }

    private mutating func binary(_ atom: Int) -> Bool {
        guard stack.count > 1 else { return false }
        let right = stack.removeLast()
        let left = stack.removeLast()
        let (signedLeft, signedRight) = (Int64(bitPattern: left), Int64(bitPattern: right))
        switch atom {
        case DW_OP_plus: stack.append(left &+ right)
        case DW_OP_minus: stack.append(left &- right)
        case DW_OP_mul: stack.append(left &* right)
        case DW_OP_div where right != 0:
            stack.append(UInt64(bitPattern: signedLeft.dividedReportingOverflow(by: signedRight).partialValue))
        case DW_OP_mod where right != 0: stack.append(left % right)
        case DW_OP_and: stack.append(left & right)
        case DW_OP_or: stack.append(left | right)
        case DW_OP_xor: stack.append(left ^ right)
        case DW_OP_shl: stack.append(left << right)
        case DW_OP_shr: stack.append(left >> right)
        case DW_OP_shra: stack.append(UInt64(bitPattern: signedLeft >> right))
        case DW_OP_eq: stack.append(left == right ? 1 : 0)
        case DW_OP_ne: stack.append(left != right ? 1 : 0)
        case DW_OP_lt: stack.append(signedLeft < signedRight ? 1 : 0)
        case DW_OP_le: stack.append(signedLeft <= signedRight ? 1 : 0)
        case DW_OP_gt: stack.append(signedLeft > signedRight ? 1 : 0)
        case DW_OP_ge: stack.append(signedLeft >= signedRight ? 1 : 0)
        default: return false
        }
        return true
    }
}
