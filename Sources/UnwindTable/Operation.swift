import CUnwindTable

/// One operation of a program: of a DWARF expression, compiled to a postfix program over 64-bit values that wrap around.
///
/// 8 bytes, laid out as docs/table-format.md, "Expressions", and `cfic/rule.h` specify. A program has at most 16
/// operations before ``Code/end``, and needs a stack of at most 8 values.
public struct Operation: Sendable {
    @usableFromInline package var fields: cfic_op

    /// What an operation does. The raw values are those of `enum cfic_operation`.
    ///
    /// The operations from ``add`` on take two operands: the right one is on top of the stack, or the immediate if
    /// ``Operation/hasImmediateOperand``. Comparisons push 1 or 0.
    public enum Code: UInt8, Sendable, CaseIterable {
        /// The program's result is on top of the stack.
        case end = 0
        /// Pushes register + immediate.
        case register
        /// Pushes pc + immediate.
        case pc
        /// Pushes CFA + immediate.
        case cfa
        /// Pushes the immediate, sign-extended.
        case constant
        /// Replaces the address on top, plus the immediate, by 1, 2, 4 or 8 bytes that are there, zero-extended. The
        /// number of bytes is in ``Operation/register``.
        case load
        /// Pushes the value that is as many below the top as the immediate says.
        case duplicate
        /// Removes the top.
        case drop
        /// Exchanges the two top values.
        case swap
        /// a b c becomes c a b, c being the top.
        case rotate
        /// Negates the top.
        case negate
        /// Inverts the bits of the top.
        case not
        /// The absolute value of the top, a signed number.
        case absolute
        /// Left + right.
        case add
        /// Left - right.
        case subtract
        /// Left × right.
        case multiply
        /// Left / right, signed. Division by zero ends the evaluation.
        case divide
        /// The rest of left / right, unsigned. Division by zero ends the evaluation.
        case modulo
        /// Bitwise and.
        case and
        /// Bitwise or.
        case or
        /// Bitwise exclusive or.
        case xor
        /// Left shifted left; 0 if by 64 bits or more.
        case shiftLeft
        /// Left shifted right, unsigned; 0 if by 64 bits or more.
        case shiftRight
        /// Left shifted right, signed; its sign if by 64 bits or more.
        case shiftRightSigned
        /// Left = right.
        case equal
        /// Left ≠ right.
        case notEqual
        /// Left < right, signed.
        case less
        /// Left ≤ right, signed.
        case lessOrEqual
        /// Left > right, signed.
        case greater
        /// Left ≥ right, signed.
        case greaterOrEqual
    }

    @inlinable
    package init(_ code: Code, register: UInt8 = 0, _ immediate: Int32 = 0) {
        fields = cfic_op(op: code.rawValue, reg: register, reserved: 0, imm: immediate)
    }

    @inlinable
    package init(_ code: Code, immediateOperand: Int32) {
        self.init(code, register: UInt8(CFIC_OPERAND_IMMEDIATE), immediateOperand)
    }

    /// What the operation does.
    @inlinable
    public var code: Code {
        // Proved, or made by `init`.
        statedCode.unsafelyUnwrapped
    }

    /// Nil of an operation that is not proved yet and has none of the codes.
    @inlinable
    var statedCode: Code? { Code(rawValue: fields.op) }

    /// Of ``Code/register``, a DWARF register number; of ``Code/load``, a number of bytes.
    @inlinable
    public var register: UInt8 { fields.reg }

    /// The number that ``code`` names as immediate; 0 if it names none.
    @inlinable
    public package(set) var immediate: Int32 {
        get { fields.imm }
        set { fields.imm = newValue }
    }

    /// Whether the right operand of an operation with two is the immediate, not the top of the stack.
    @inlinable
    public var hasImmediateOperand: Bool {
        fields.op >= Code.add.rawValue && fields.reg == UInt8(CFIC_OPERAND_IMMEDIATE)
    }

    /// The numbers of stack entries that it pops and then pushes.
    @inlinable
    package var effect: (pops: Int, pushes: Int) {
        switch code {
        case .end: (0, 0)
        case .register, .pc, .cfa, .constant: (0, 1)
        case .duplicate: (Int(immediate) + 1, Int(immediate) + 2)
        case .drop: (1, 0)
        case .swap: (2, 2)
        case .rotate: (3, 3)
        case .load, .negate, .not, .absolute: (1, 1)
        default: hasImmediateOperand ? (1, 1) : (2, 1)
        }
    }

    @inlinable
    package var words: SIMD2<UInt32> { unsafeBitCast(self, to: SIMD2<UInt32>.self) }

    /// Whether it replaces an address on the stack with the 8 bytes at that address.
    @inlinable
    package var isWordLoad: Bool { code == .load && register == 8 && immediate == 0 }
}

extension UnsafeBufferPointer<Operation> {
    /// The same for C.
    package var fields: UnsafePointer<cfic_op>? {
        UnsafeRawPointer(baseAddress)?.assumingMemoryBound(to: cfic_op.self)
    }
}
