import CallFrameInfo
import Inference

/// Evaluates DWARF expressions (DWARF 5 §2.5) on what inference knows about registers and stack slots.
struct SymbolicExpression {
    private let state: SymbolicState
    private var stack: [SymbolicValue]

    private init(_ state: SymbolicState, _ stack: [SymbolicValue]) {
        self.state = state
        self.stack = stack
    }

    /// The top of the stack after all operations; unknown if one of them can't be evaluated.
    ///
    /// - Parameters:
    ///   - block: the expression, in `section`.
    ///   - pc: SVMA of the instruction.
    ///   - initial: what the stack holds before.
    static func value(
        _ block: Range<Int>, in section: FrameSection, _ state: SymbolicState, pc: UInt64, initial: [SymbolicValue] = []
    ) -> SymbolicValue {
        var evaluation = SymbolicExpression(state, initial)
        var cursor = section.cursor(block)
        while !cursor.isAtEnd {
            guard let isEvaluated = try? evaluation.step(&cursor, pc), isEvaluated, evaluation.stack.count < 64 else {
                return .unknown
            }
        }
        return evaluation.stack.last ?? .unknown
    }

    /// False if the operation can't be evaluated.
    private mutating func step(_ cursor: inout ByteCursor, _ pc: UInt64) throws(CFIError) -> Bool {
        let operation = try cursor.readU8()
        switch operation {
        case 0x30...0x4f: stack.append(.constant(Int64(operation - 0x30)))  // DW_OP_lit0 …
        case 0x70...0x8f:  // DW_OP_breg0 …
            let offset = try cursor.readSLEB()
            let register = operation - 0x70
            // Column 16 is the return address: in a frame, the pc.
            if register == 16 {
                stack.append(SymbolicValue.constant(Int64(bitPattern: pc)).adding(offset))
            } else {
                stack.append(register < 16 ? state[register].adding(offset) : .unknown)
            }
        case 0x06:  // DW_OP_deref
            guard let address = stack.popLast() else { return false }
            stack.append(state.loaded(from: address))
        case 0x08: stack.append(.constant(Int64(try cursor.readU8())))  // DW_OP_const1u
        case 0x09: stack.append(.constant(Int64(Int8(bitPattern: try cursor.readU8()))))  // DW_OP_const1s
        case 0x0a: stack.append(.constant(Int64(try cursor.read(UInt16.self))))  // DW_OP_const2u
        case 0x0b: stack.append(.constant(Int64(Int16(bitPattern: try cursor.read(UInt16.self)))))  // DW_OP_const2s
        case 0x10: stack.append(.constant(Int64(bitPattern: try cursor.readULEB())))  // DW_OP_constu
        case 0x11: stack.append(.constant(try cursor.readSLEB()))  // DW_OP_consts
        case 0x23:  // DW_OP_plus_uconst
            let addend = Int64(bitPattern: try cursor.readULEB())
            guard let top = stack.popLast() else { return false }
            stack.append(top.adding(addend))
        default: return binary(operation)
        }
        return true
    }

    private mutating func binary(_ operation: UInt8) -> Bool {
        guard stack.count > 1 else { return false }
        let (right, left) = (stack.removeLast(), stack.removeLast())
        guard right.kind == .constant else {
            guard operation == 0x22, left.kind == .constant else { return false }
            stack.append(right.adding(left.number))
            return true
        }
        switch operation {
        case 0x22: stack.append(left.adding(right.number))  // DW_OP_plus
        case 0x1c: stack.append(left.adding(0 - right.number))  // DW_OP_minus
        case 0x1a where left.kind == .constant: stack.append(.constant(left.number & right.number))  // DW_OP_and
        case 0x24 where left.kind == .constant: stack.append(.constant(left.number << right.number))  // DW_OP_shl
        case 0x2a where left.kind == .constant:  // DW_OP_ge
            stack.append(.constant(left.number >= right.number ? 1 : 0))
        default: return false
        }
        return true
    }
}
