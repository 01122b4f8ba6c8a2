import CUnwindTable
import CallFrameInfo
import UnwindTable

/// A frame with all registers that are known of it.
struct RegisterFrame {
    let machine: TableMachine
    /// AVMA: the interrupted instruction if `isExact`, else the return address of the frame's call.
    var pc: UInt64
    var isExact: Bool
    /// By DWARF number; nil if a register isn't known.
    private var values: [UInt64?]

    /// The innermost frame.
    init(_ machine: TableMachine, pc: UInt64, registers: [UInt64]) {
        (self.machine, self.pc, isExact) = (machine, pc, true)
        values = registers.prefix(Int(machine.lastRegister) + 1).map { $0 }
    }

    private init(callerOf frame: RegisterFrame) {
        (machine, pc, isExact) = (frame.machine, 0, false)
        values = Array(repeating: nil, count: frame.values.count)
    }

    /// Inside of the call, if the pc is a return address.
    var lookupPC: UInt64 { isExact ? pc : pc &- 1 }

    func register(_ number: UInt64) -> UInt64? {
        // The pc's own number is one of rules' registers on neither machine.
        if number == machine.pcColumn { return pc }
        return number < UInt64(values.count) ? values[Int(number)] : nil
    }

    /// How a step ended.
    enum Step {
        case caller(RegisterFrame)
        case end(cfic_step)
    }

    /// The caller by a row.
    ///
    /// - Parameter addressBits: the bits of a signed return address that belong to the address.
    func caller(by row: ImageRows.Row, _ memory: StackMemory, addressBits: UInt64) -> Step {
        let returnRule = row.columns.rule(for: row.returnAddressRegister)
        if returnRule.kind == .undefined { return .end(CFIC_STEP_END_OF_STACK) }
        guard let cfa = cfa(row, memory) else { return .end(CFIC_STEP_NO_REGISTERS) }
        var caller = RegisterFrame(callerOf: self)
        for number in machine.preserved { caller.set(number, register(number)) }
        caller.set(machine.stackPointer, cfa)
        for column in row.columns.columns where column.rule.kind != .unspecified {
            caller.set(column.register, value(of: column.register, column.rule, row, memory, cfa))
        }
        // Unspecified: the return address is still in its register, unless that is the pc's own column.
        let address =
            returnRule.kind == .unspecified
            ? row.returnAddressRegister == machine.pcColumn ? nil : register(row.returnAddressRegister)
            : value(of: row.returnAddressRegister, returnRule, row, memory, cfa)
        guard let address else { return .end(CFIC_STEP_UNREADABLE_RETURN_ADDRESS) }
        caller.pc = address & addressBits
        caller.isExact = row.isSignalFrame
        if caller.pc == 0 { return .end(CFIC_STEP_ZERO_RETURN_ADDRESS) }
        if caller.pc == pc, caller.register(machine.stackPointer) == register(machine.stackPointer) {
            return .end(CFIC_STEP_NO_PROGRESS)
        }
        return .caller(caller)
    }

    private mutating func set(_ number: UInt64, _ value: UInt64?) {
        if number < UInt64(values.count) { values[Int(number)] = value }
    }

    private func cfa(_ row: ImageRows.Row, _ memory: StackMemory) -> UInt64? {
        switch row.cfa.kind {
        case .undefined: return nil
        case .registerOffset: return register(row.cfa.register).map { $0 &+ UInt64(bitPattern: row.cfa.offset) }
        case .expression:
            guard row.cfa.expression.kind == .expression else { return nil }
            var expression = Expression(row.cfa.expression.block, of: row.section, self, memory, start: [])
            return expression.result()
        }
    }

    private func value(
        of number: UInt64, _ rule: RegisterRule, _ row: ImageRows.Row, _ memory: StackMemory, _ cfa: UInt64
    ) -> UInt64? {
        switch rule.kind {
        case .unspecified, .undefined, .tooWide: return nil
        case .sameValue: return register(number)
        case .offset: return memory.number(at: cfa &+ UInt64(bitPattern: rule.offset), size: 8)
        case .valueOffset: return cfa &+ UInt64(bitPattern: rule.offset)
        case .register: return register(rule.register)
        case .expression, .valueExpression:
            var expression = Expression(rule.block, of: row.section, self, memory, start: [cfa])
            let result = expression.result()
            return rule.kind == .valueExpression ? result : result.flatMap { memory.number(at: $0, size: 8) }
        }
    }
}

extension TableMachine {
    /// The column of the program counter (System V ABI, AMD64 supplement, §3.6.2; DWARF for the Arm 64-bit Architecture,
    /// §4.1).
    fileprivate var pcColumn: UInt64 { self == .x86_64 ? 16 : 32 }

    /// Registers that a function without a rule for them preserves: rbx, rbp, r12 to r15; x19 to x29.
    fileprivate var preserved: [UInt64] { self == .x86_64 ? [3, 6, 12, 13, 14, 15] : Array(19...29) }
}
