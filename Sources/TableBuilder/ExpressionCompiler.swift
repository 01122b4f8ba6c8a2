import CUnwindTable
import CallFrameInfo
import UnwindTable

/// Compiles DWARF expressions (DWARF 5 §2.5.1, §6.4.2.3) into programs of bounded size.
struct ExpressionCompiler<A: Architecture> {
    var section: FrameSection

    /// - Parameter startsWithCFA: whether the stack initially contains the CFA: true for register rules, false for the
    ///   CFA's own rule.
    func compile(_ block: Range<Int>, startsWithCFA: Bool) throws(Program.Failure) -> Program {
        var program = Program()
        if startsWithCFA { try program.append(Operation(.cfa), pops: 0, pushes: 1) }
        var cursor = section.cursor(block)
        do {
            while !cursor.isAtEnd {
                let code = try cursor.readU8()
                try compile(code, &cursor, &program)
            }
        } catch let failure as Program.Failure {
            throw failure
        } catch {
            throw .reason(CFIC_REASON_EXPRESSION_MALFORMED)
        }
        guard program.hasResult else { throw .reason(CFIC_REASON_EXPRESSION_MALFORMED) }
        return program
    }

    private func compile(_ code: UInt8, _ cursor: inout ByteCursor, _ program: inout Program) throws {
        switch code {
        case 0x30...0x4f: try program.push(UInt64(code - 0x30))  // DW_OP_lit0...31
        case 0x70...0x8f: try register(UInt64(code - 0x70), try cursor.readSLEB(), &program)  // DW_OP_breg0...31
        case 0x92: try register(try cursor.readULEB(), try cursor.readSLEB(), &program)  // DW_OP_bregx
        case 0x08...0x11: try program.push(try constant(code, &cursor))
        case 0x23:  // DW_OP_plus_uconst
            try program.add(Int64(bitPattern: try cursor.readULEB()))
        case 0x06: try program.append(Operation(.load, register: 8), pops: 1, pushes: 1)  // DW_OP_deref
        case 0x94:  // DW_OP_deref_size
            let size = try cursor.readU8()
            guard [1, 2, 4, 8].contains(size) else { throw Program.Failure.reason(CFIC_REASON_EXPRESSION_OPERATION) }
            try program.append(Operation(.load, register: size), pops: 1, pushes: 1)
        case 0x12: try program.append(Operation(.duplicate, 0), pops: 1, pushes: 2)
        case 0x13: try program.append(Operation(.drop), pops: 1, pushes: 0)
        case 0x14: try program.append(Operation(.duplicate, 1), pops: 2, pushes: 3)
        case 0x15:  // DW_OP_pick
            let index = Int(try cursor.readU8())
            try program.append(Operation(.duplicate, Int32(index)), pops: index + 1, pushes: index + 2)
        case 0x16: try program.append(Operation(.swap), pops: 2, pushes: 2)
        case 0x17: try program.append(Operation(.rotate), pops: 3, pushes: 3)
        case 0x19: try program.append(Operation(.absolute), pops: 1, pushes: 1)
        case 0x1f: try program.append(Operation(.negate), pops: 1, pushes: 1)
        case 0x20: try program.append(Operation(.not), pops: 1, pushes: 1)
        case 0x96: break  // DW_OP_nop
        default:
            guard let operation = Self.binary[code] else {
                throw Program.Failure.reason(CFIC_REASON_EXPRESSION_OPERATION)
            }
            try program.binary(operation)
        }
    }

    private func register(_ number: UInt64, _ offset: Int64, _ program: inout Program) throws {
        if A.isVectorLength(number) { throw Program.Failure.reason(CFIC_REASON_VECTOR_LENGTH) }
        let isPC = A.isProgramCounter(number)
        guard isPC || number <= A.lastRegister else { throw Program.Failure.reason(CFIC_REASON_REGISTER) }
        let operation =
            isPC
            ? Operation(.pc) : Operation(.register, register: UInt8(truncatingIfNeeded: number))
        try program.append(operation, pops: 0, pushes: 1)
        try program.add(offset)
    }

    /// DW_OP_const1u ... DW_OP_consts.
    private func constant(_ code: UInt8, _ cursor: inout ByteCursor) throws -> UInt64 {
        switch code {
        case 0x08: UInt64(try cursor.readU8())
        case 0x09: UInt64(bitPattern: Int64(Int8(bitPattern: try cursor.readU8())))
        case 0x0a: UInt64(try cursor.read(UInt16.self))
        case 0x0b: UInt64(bitPattern: Int64(Int16(bitPattern: try cursor.read(UInt16.self))))
        case 0x0c: UInt64(try cursor.read(UInt32.self))
        case 0x0d: UInt64(bitPattern: Int64(Int32(bitPattern: try cursor.read(UInt32.self))))
        case 0x0e, 0x0f: try cursor.read(UInt64.self)
        case 0x10: try cursor.readULEB()
        default: UInt64(bitPattern: try cursor.readSLEB())
        }
    }

    private static var binary: [UInt8: Operation.Code] {
        [
            0x1a: .and, 0x1b: .divide, 0x1c: .subtract, 0x1d: .modulo, 0x1e: .multiply,
            0x21: .or, 0x22: .add, 0x24: .shiftLeft, 0x25: .shiftRight, 0x26: .shiftRightSigned,
            0x27: .xor, 0x29: .equal, 0x2a: .greaterOrEqual, 0x2b: .greater, 0x2c: .lessOrEqual,
            0x2d: .less, 0x2e: .notEqual,
        ]
    }
}
