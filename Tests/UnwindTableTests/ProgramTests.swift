import CUnwindTable
import TestFixtures
import Testing
import UnwindTable

/// Random programs of rules, as a table may have them, compared with a plain evaluation that follows
/// docs/table-format.md.
@Suite struct ProgramTests {
    /// Values likely to reveal differences: limits of signs, sizes and shifts.
    private static let telling: [Int32] = [0, 1, -1, 7, 8, 63, 64, 65, .max, .min]

    /// The result; nil for a division by zero. All memory can be read.
    private static func evaluate(_ program: [cfic_op], _ unwinder: Unwinder) -> UInt64? {
        var stack: [UInt64] = []
        for step in program {
            let imm = UInt64(bitPattern: Int64(step.imm))
            switch cfic_operation(rawValue: UInt32(step.op)) {
            case CFIC_OP_END: return stack.last
            case CFIC_OP_REGISTER: stack.append(unwinder[Int(step.reg)] &+ imm)
            case CFIC_OP_PC: stack.append(unwinder.frame.machine.pc &+ imm)
            case CFIC_OP_CONST: stack.append(imm)
            case CFIC_OP_LOAD:
                stack.append(unwinder.memory.number(at: stack.removeLast() &+ imm, size: Int(step.reg)) ?? 0)
            case CFIC_OP_DUP: stack.append(stack[stack.count - 1 - Int(step.imm)])
            case CFIC_OP_DROP: stack.removeLast()
            case CFIC_OP_SWAP: stack.swapAt(stack.count - 1, stack.count - 2)
            case CFIC_OP_ROT: stack.insert(stack.removeLast(), at: stack.count - 2)
            case CFIC_OP_NEG: stack.append(0 &- stack.removeLast())
            case CFIC_OP_NOT: stack.append(~stack.removeLast())
            case CFIC_OP_ABS: stack.append(Int64(bitPattern: stack.removeLast()).magnitude)
            default:
                let right = step.reg == CFIC_OPERAND_IMMEDIATE ? imm : stack.removeLast()
                guard let result = operate(step.op, stack.removeLast(), right) else { return nil }
                stack.append(result)
            }
        }
        return nil
    }

    private static func operate(_ op: UInt8, _ left: UInt64, _ right: UInt64) -> UInt64? {
        let (signedLeft, signedRight) = (Int64(bitPattern: left), Int64(bitPattern: right))
        switch cfic_operation(rawValue: UInt32(op)) {
        case CFIC_OP_ADD: return left &+ right
        case CFIC_OP_SUB: return left &- right
        case CFIC_OP_MUL: return left &* right
        case CFIC_OP_DIV:
            return right == 0
                ? nil : UInt64(bitPattern: signedLeft.dividedReportingOverflow(by: signedRight).partialValue)
        case CFIC_OP_MOD: return right == 0 ? nil : left % right
        case CFIC_OP_AND: return left & right
        case CFIC_OP_OR: return left | right
        case CFIC_OP_XOR: return left ^ right
        case CFIC_OP_SHL: return left << right
        case CFIC_OP_SHR: return left >> right
        case CFIC_OP_SAR: return UInt64(bitPattern: signedLeft >> right)
        case CFIC_OP_EQ: return left == right ? 1 : 0
        case CFIC_OP_NE: return left != right ? 1 : 0
        case CFIC_OP_LT: return signedLeft < signedRight ? 1 : 0
        case CFIC_OP_LE: return signedLeft <= signedRight ? 1 : 0
        case CFIC_OP_GT: return signedLeft > signedRight ? 1 : 0
        default: return signedLeft >= signedRight ? 1 : 0
        }
    }

    /// A program that neither pops from an empty stack nor exceeds the stack's size.
    private static func random(_ random: inout SeededGenerator) -> [cfic_op] {
        var depth = 0
        var program: [cfic_op] = []
        let length = Int.random(in: 1...Int(CFIC_PROGRAM_MAX), using: &random)
        while program.count < length {
            let op = UInt32.random(in: 1..<CFIC_OP_COUNT.rawValue, using: &random)
            var step = cfic_op(op: UInt8(op), reg: 0, reserved: 0, imm: telling.randomElement(using: &random)!)
            let (taken, left): (Int, Int)
            switch cfic_operation(rawValue: op) {
            case CFIC_OP_CFA: continue
            case CFIC_OP_REGISTER:
                step.reg = UInt8.random(in: 0..<16, using: &random)
                (taken, left) = (0, 1)
            case CFIC_OP_PC, CFIC_OP_CONST: (taken, left) = (0, 1)
            case CFIC_OP_LOAD:
                step.reg = [1, 2, 4, 8].randomElement(using: &random)!
                (taken, left) = (1, 1)
            case CFIC_OP_DUP:
                step.imm = Int32.random(in: 0..<8, using: &random)
                (taken, left) = (Int(step.imm) + 1, Int(step.imm) + 2)
            case CFIC_OP_DROP: (taken, left) = (1, 0)
            case CFIC_OP_SWAP: (taken, left) = (2, 2)
            case CFIC_OP_ROT: (taken, left) = (3, 3)
            case CFIC_OP_NEG, CFIC_OP_NOT, CFIC_OP_ABS: (taken, left) = (1, 1)
            default:
                step.reg = Bool.random(using: &random) ? UInt8(CFIC_OPERAND_IMMEDIATE) : 0
                (taken, left) = (step.reg == 0 ? 2 : 1, 1)
            }
            guard depth >= taken, depth - taken + left <= CFIC_STACK_MAX else { continue }
            depth += left - taken
            program.append(step)
        }
        if depth == 0 {
            program[program.count - 1] = cfic_op(op: UInt8(CFIC_OP_PC.rawValue), reg: 0, reserved: 0, imm: 0)
        }
        return program + [cfic_op()]
    }

    @Test func randomProgramsGiveWhatTheFormatSays() {
        var generator = SeededGenerator(seed: 0x9e37)
        var divisions = 0
        var seen = Set<UInt8>()
        for _ in 0..<50_000 {
            var unwinder = Unwinder()
            unwinder.memory.isSparse = false
            for register in 0..<16 {
                unwinder[register] = generator.next() >> UInt64.random(in: 0...63, using: &generator)
            }
            unwinder.operations = Self.random(&generator)
            seen.formUnion(unwinder.operations.map(\.op))
            let expected = Self.evaluate(unwinder.operations, unwinder)
            if expected == nil { divisions += 1 }
            // The program computes the CFA, and the return address is the word at the CFA.
            let rule = cfic_rule(
                kind: UInt8(CFIC_CFA_EXPRESSION.rawValue), cfa: 0, fp: 0,
                ra: UInt8(CFIC_VALUE_CFA.rawValue) << UInt8(CFIC_VALUE_SHIFT), cfa_offset: 0, fp_offset: 0, ra_offset: 1
            )
            let step = unwinder.step(rule)
            switch expected {
            case nil: #expect(step == CFIC_STEP_DIVISION_BY_ZERO)
            case UInt64.max: #expect(step == CFIC_STEP_ZERO_RETURN_ADDRESS)
            case let cfa?:
                #expect(step == CFIC_STEP_CALLER)
                #expect(unwinder[Unwinder.sp] == cfa)
                #expect(unwinder.frame.machine.pc == cfa &+ 1)
            }
        }
        #expect(divisions > 100)
        #expect(seen.count == Int(CFIC_OP_COUNT.rawValue) - 1)  // all but CFIC_OP_CFA
    }
}
