import CUnwindTable
import CallFrameInfo
import UnwindTable

/// Lowers a row of DWARF rules to a rule of the table, or to a reason if no rule expresses it exactly.
///
/// DWARF distinguishes unspecified, same value and undefined. What each means for an unwinder depends on the
/// architecture's ABI, and is decided here.
struct Lowering<A: Architecture> {
    typealias Failure = Program.Failure

    let section: FrameSection
    /// The flags of all of the CIE's rules.
    private let flags: UInt8

    /// - Parameters:
    ///   - section: the section that the rows are in.
    ///   - isSignalFrame: whether the rows' CIE says so.
    ///   - isInferred: whether the section was made from instructions.
    init(section: FrameSection, isSignalFrame: Bool, isInferred: Bool) {
        self.section = section
        flags = (isSignalFrame ? UInt8(CFIC_RULE_SIGNAL) : 0) | (isInferred ? UInt8(CFIC_RULE_INFERRED) : 0)
    }

    /// The rule of a row. Adds the programs that it needs to `programs`.
    func rule(for state: FrameState<TrackedRegisters<A>>, programs: inout ProgramList) -> Rule {
        do throws(Failure) {
            return try lower(state, &programs)
        } catch {
            return .unknown(Reason(error.code))
        }
    }

    private func lower(
        _ state: FrameState<TrackedRegisters<A>>, _ programs: inout ProgramList
    ) throws(Failure) -> Rule {
        if state.columns.returnAddress.kind == .undefined { return .endOfStack }
        var rule = Rule()
        rule.fields.kind = flags
        if try isSigned(state.columns.signingState) { rule.fields.kind |= UInt8(CFIC_RULE_RA_SIGNED) }
        try setCFA(state, &rule, &programs)
        let framePointer = try value(
            of: state.columns.framePointer, ifUnspecified: Rule.Value(kind: .same), &rule, &programs)
        rule.fields.fp = framePointer.packed
        rule.fields.fp_offset = framePointer.offset
        let returnAddress = try returnAddress(state.columns, &rule, &programs)
        rule.fields.ra = returnAddress.packed
        rule.fields.ra_offset = returnAddress.offset
        return rule
    }

    // MARK: CFA and stack pointer

    private func setCFA(
        _ state: FrameState<TrackedRegisters<A>>, _ rule: inout Rule, _ programs: inout ProgramList
    ) throws(Failure) {
        var program = try cfaProgram(state.cfa)
        noteLiveRegisters(program, &rule)
        if let stackPointer = try stackPointerProgram(state.columns.stackPointer, cfa: program) {
            // The caller's SP is not the CFA, so the program computes both.
            noteLiveRegisters(stackPointer, &rule)
            program = try stackPointer.followed(by: program)
            rule.fields.kind |= UInt8(CFIC_RULE_SP_ON_STACK) | Rule.CFAKind.expression.rawValue
            rule.fields.cfa_offset = try programs.index(of: program)
            return
        }
        let operations = program.operations
        guard let first = operations.first, first.code == .register else {
            rule.fields.kind |= Rule.CFAKind.expression.rawValue
            rule.fields.cfa_offset = try programs.index(of: program)
            return
        }
        rule.fields.cfa = first.register
        rule.fields.cfa_offset = first.immediate
        if operations.count == 1 {
            rule.fields.kind |= Rule.CFAKind.register.rawValue
        } else if let addend = Self.directAddend(operations) {
            rule.fields.kind |= Rule.CFAKind.dereferenced.rawValue
            rule.fields.cfa |= addend << UInt8(CFIC_VALUE_SHIFT)
        } else {
            rule.fields.kind |= Rule.CFAKind.expression.rawValue
            rule.fields.cfa = 0
            rule.fields.cfa_offset = try programs.index(of: program)
        }
    }

    /// The addend of `*(reg + offset) + addend`, in words, if it fits a rule's three bits.
    private static func directAddend(_ operations: [Operation]) -> UInt8? {
        guard operations[1].isWordLoad else { return nil }
        if operations.count == 2 { return 0 }
        guard operations.count == 3, operations[2].code == .add,
            operations[2].hasImmediateOperand, operations[2].immediate % 8 == 0,
            (0...56).contains(operations[2].immediate)
        else { return nil }
        return UInt8(operations[2].immediate / 8)
    }

    private func cfaProgram(_ cfa: CFARule) throws(Failure) -> Program {
        switch cfa.kind {
        case .undefined: throw .reason(CFIC_REASON_NO_CFA)
        case .expression: return try compile(cfa.expression, startsWithCFA: false)
        case .registerOffset: return try registerProgram(cfa.register, offset: cfa.offset)
        }
    }

    private func registerProgram(_ register: UInt64, offset: Int64) throws(Failure) -> Program {
        guard register <= A.lastRegister else { throw .reason(CFIC_REASON_REGISTER) }
        guard let offset = Int32(exactly: offset) else { throw .reason(CFIC_REASON_OFFSET_TOO_WIDE) }
        var program = Program()
        try program.append(
            Operation(.register, register: UInt8(truncatingIfNeeded: register), offset), pops: 0, pushes: 1)
        return program
    }

    /// The program that computes the caller's SP. Nil if that is the CFA, which all ABIs define in the absence of a
    /// rule.
    private func stackPointerProgram(_ rule: RegisterRule, cfa: Program) throws(Failure) -> Program? {
        var program = Program()
        switch rule.kind {
        case .unspecified: return nil
        case .valueOffset where rule.offset == 0: return nil
        case .sameValue: program = try registerProgram(A.stackPointer, offset: 0)
        case .register: program = try registerProgram(rule.register, offset: 0)
        case .valueOffset:
            program = cfa
            try program.add(rule.offset)
        case .offset:
            program = cfa
            try program.add(rule.offset)
            try program.appendWordLoad()
        case .expression, .valueExpression:
            program = try compile(rule, startsWithCFA: true).replacingCFA(by: cfa)
            if rule.kind == .expression { try program.appendWordLoad() }
        case .undefined: throw .reason(CFIC_REASON_STACK_POINTER)
        case .tooWide: throw .reason(CFIC_REASON_OFFSET_TOO_WIDE)
        }
        return program == cfa ? nil : program
    }

    // MARK: Frame pointer and return address

    private func returnAddress(
        _ columns: TrackedRegisters<A>, _ rule: inout Rule, _ programs: inout ProgramList
    ) throws(Failure) -> Rule.Value {
        var unspecified: Rule.Value?
        if columns.returnAddressColumn <= A.lastRegister {
            // A link register without a rule still contains the return address.
            unspecified = Rule.Value(
                kind: .register, register: UInt8(truncatingIfNeeded: columns.returnAddressColumn))
            let kind = columns.returnAddress.kind
            if kind == .unspecified || kind == .sameValue { rule.fields.kind |= UInt8(CFIC_RULE_LIVE_REGISTERS) }
        }
        let value = try value(of: columns.returnAddress, ifUnspecified: unspecified, &rule, &programs)
        return value
    }

    /// Where to find the caller's value of a register. `ifUnspecified` is also for "same value"; if it is nil, both
    /// throw.
    private func value(
        of register: RegisterRule, ifUnspecified: Rule.Value?, _ rule: inout Rule, _ programs: inout ProgramList
    ) throws(Failure) -> Rule.Value {
        switch register.kind {
        case .unspecified, .sameValue:
            guard let ifUnspecified else { throw .reason(CFIC_REASON_RETURN_ADDRESS_UNSPECIFIED) }
            return ifUnspecified
        case .undefined: return Rule.Value(kind: .undefined)
        case .offset: return try value(at: try cfaProgram(plus: register.offset), &programs)
        case .valueOffset: return try value(of: try cfaProgram(plus: register.offset), &programs)
        case .register:
            let program = try registerProgram(register.register, offset: 0)
            noteLiveRegisters(program, &rule)
            return Rule.Value(kind: .register, register: program.operations[0].register)
        case .expression:
            let program = try compile(register, startsWithCFA: true)
            noteLiveRegisters(program, &rule)
            return try value(at: program, &programs)
        case .valueExpression:
            let program = try compile(register, startsWithCFA: true)
            noteLiveRegisters(program, &rule)
            if program.operations.last?.isWordLoad == true, let address = program.withoutLast {
                return try value(at: address, &programs)
            }
            return try value(of: program, &programs)
        case .tooWide: throw .reason(CFIC_REASON_OFFSET_TOO_WIDE)
        }
    }

    /// The value in memory at the address that `program` computes.
    private func value(at program: Program, _ programs: inout ProgramList) throws(Failure) -> Rule.Value {
        if let value = direct(program, .atCFA, .atRegister) { return value }
        return Rule.Value(kind: .atExpression, offset: try narrowIndex(of: program, &programs))
    }

    /// The value that `program` computes.
    private func value(of program: Program, _ programs: inout ProgramList) throws(Failure) -> Rule.Value {
        if let value = direct(program, .cfa, .register) { return value }
        return Rule.Value(kind: .expression, offset: try narrowIndex(of: program, &programs))
    }

    private func narrowIndex(of program: Program, _ programs: inout ProgramList) throws(Failure) -> Int16 {
        // The list stays below `CFIC_EXPRESSIONS_MAX`.
        Int16(truncatingIfNeeded: try programs.index(of: program))
    }

    /// A value without a program, if the program's result is CFA + offset or register + offset and the offset fits 16
    /// bits.
    private func direct(
        _ program: Program, _ ofCFA: Rule.Value.Kind, _ ofRegister: Rule.Value.Kind
    ) -> Rule.Value? {
        guard let last = program.operations.last, let offset = Int16(exactly: last.immediate) else { return nil }
        // Stack entries below the result, such as the initial CFA, don't matter.
        switch last.code {
        case .cfa: return Rule.Value(kind: ofCFA, offset: offset)
        case .register: return Rule.Value(kind: ofRegister, register: last.register, offset: offset)
        default: return nil
        }
    }

    private func cfaProgram(plus offset: Int64) throws(Failure) -> Program {
        guard let offset = Int32(exactly: offset) else { throw .reason(CFIC_REASON_OFFSET_TOO_WIDE) }
        var program = Program()
        try program.append(Operation(.cfa, offset), pops: 0, pushes: 1)
        return program
    }

    // MARK: Expressions and signing

    private func compile(_ rule: RegisterRule, startsWithCFA: Bool) throws(Failure) -> Program {
        guard rule.kind != .tooWide else { throw .reason(CFIC_REASON_EXPRESSION_TOO_LONG) }
        return try ExpressionCompiler<A>(section: section).compile(rule.block, startsWithCFA: startsWithCFA)
    }

    /// Marks a rule whose program reads registers other than SP and the frame pointer. An unwinder tracks only these
    /// two from frame to frame; it knows the others only in the innermost frame and in frames that a signal
    /// interrupted.
    private func noteLiveRegisters(_ program: Program, _ rule: inout Rule) {
        let isLive = program.readsRegister { UInt64($0) != A.stackPointer && UInt64($0) != A.framePointer }
        if isLive { rule.fields.kind |= UInt8(CFIC_RULE_LIVE_REGISTERS) }
    }

    private func isSigned(_ state: RegisterRule) throws(Failure) -> Bool {
        switch state.kind {
        case .unspecified: return state.register & 1 != 0
        case .valueExpression:
            // Some compilers encode the state as a constant expression.
            let operations = try compile(state, startsWithCFA: true).operations
            guard let last = operations.last, last.code == .constant, (0...1).contains(last.immediate) else {
                throw .reason(CFIC_REASON_SIGNING_STATE)
            }
            return last.immediate == 1
        default: throw .reason(CFIC_REASON_SIGNING_STATE)
        }
    }
}
