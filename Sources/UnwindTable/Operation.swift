import CUnwindTable

/// One operation of a program.
public typealias Operation = cfic_op

extension Operation {
    package init(_ operation: cfic_operation, register: UInt8 = 0, _ immediate: Int32 = 0) {
        self.init(op: UInt8(truncatingIfNeeded: operation.rawValue), reg: register, reserved: 0, imm: immediate)
    }

    public var operation: cfic_operation { cfic_operation(UInt32(op)) }

    /// The numbers of stack entries that it pops and then pushes.
    package var effect: (pops: Int, pushes: Int) {
        switch operation {
        case CFIC_OP_END: (0, 0)
        case CFIC_OP_REGISTER, CFIC_OP_PC, CFIC_OP_CFA, CFIC_OP_CONST: (0, 1)
        case CFIC_OP_DUP: (Int(imm) + 1, Int(imm) + 2)
        case CFIC_OP_DROP: (1, 0)
        case CFIC_OP_SWAP: (2, 2)
        case CFIC_OP_ROT: (3, 3)
        case CFIC_OP_LOAD, CFIC_OP_NEG, CFIC_OP_NOT, CFIC_OP_ABS: (1, 1)
        default: reg == UInt8(CFIC_OPERAND_IMMEDIATE) ? (1, 1) : (2, 1)
        }
    }

    package var words: SIMD2<UInt32> { unsafeBitCast(self, to: SIMD2<UInt32>.self) }

    /// Whether it replaces an address on the stack with the 8 bytes at that address.
    package var isWordLoad: Bool { operation == CFIC_OP_LOAD && reg == 8 && imm == 0 }
}
