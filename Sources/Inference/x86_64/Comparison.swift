import CZydis

/// The comparison right in front of a branch, and what the branch's outcome says about the registers compared.
struct Comparison {
    private let instruction: Instruction

    /// - Returns: nil if the instruction compares nothing of use.
    init?(_ instruction: Instruction) {
        guard instruction.operation == CFIC_X86_COMPARE || instruction.operation == CFIC_X86_COMPARE_IMMEDIATE else {
            return nil
        }
        self.instruction = instruction
    }

    /// Adds what holds if a branch with the condition is taken, or isn't.
    func refine(_ state: SymbolicState, _ condition: cfic_x86_condition, isTaken: Bool) {
        switch (condition, isTaken) {
        case (CFIC_X86_EQUAL, true), (CFIC_X86_NOT_EQUAL, false): equate(state)
        case (CFIC_X86_ABOVE, false), (CFIC_X86_BELOW_OR_EQUAL, true): bound(state, instruction.immediate)
        case (CFIC_X86_ABOVE_OR_EQUAL, false), (CFIC_X86_BELOW, true): bound(state, instruction.immediate - 1)
        default: break
        }
    }

    /// Both registers hold the same: a loop that probes the stack ends when the stack pointer reaches another register.
    private func equate(_ state: SymbolicState) {
        guard instruction.operation == CFIC_X86_COMPARE else { return }
        let (left, right) = (state[instruction.target], state[instruction.source])
        if left.isStack, !right.isStack { state[instruction.source] = left }
        if right.isStack, !left.isStack { state[instruction.target] = right }
    }

    private func bound(_ state: SymbolicState, _ largest: Int64) {
        guard instruction.operation == CFIC_X86_COMPARE_IMMEDIATE, instruction.target < 16, largest >= 0 else { return }
        let size = UInt8(instruction.size)
        let value = state[instruction.target]
        if let known = value.largest, value.kind != .constant, size == 8 || known >> (8 * Int64(size)) == 0 {
            return state[instruction.target] = SymbolicValue(.bounded, 8, min(known, largest))
        }
        guard value.kind == .defined || value == .unknown else { return }
        let bounded = SymbolicValue(.bounded, size, largest)
        guard value.kind == .defined else { return state[instruction.target] = bounded }
        // All that hold the same, or its low bytes.
        let compared = min(size, value.qualifier)
        for register in 0..<UInt8(16) where state[register].kind == .defined && state[register].number == value.number {
            let isWhole = state[register].qualifier <= compared
            state[register] = SymbolicValue(.bounded, isWhole ? 8 : compared, largest)
        }
    }

    /// What a branch that isn't taken says about a memory operand that was compared.
    func boundOfMemory(_ condition: cfic_x86_condition) -> MemoryBound? {
        guard instruction.operation == CFIC_X86_COMPARE_IMMEDIATE, instruction.has_memory != 0 else { return nil }
        switch condition {
        case CFIC_X86_ABOVE: return MemoryBound(instruction, instruction.immediate)
        case CFIC_X86_ABOVE_OR_EQUAL: return MemoryBound(instruction, instruction.immediate - 1)
        default: return nil
        }
    }
}

/// A memory operand that holds at most a number, as long as nothing writes to memory or to the registers of its address.
struct MemoryBound {
    private let operand: Instruction
    private let largest: Int64

    fileprivate init?(_ operand: Instruction, _ largest: Int64) {
        guard largest >= 0 else { return nil }
        self.operand = operand
        self.largest = largest
    }

    /// The bound of the register that an instruction loads, in a state behind it.
    func apply(_ instruction: Instruction, to state: SymbolicState) {
        guard instruction.operation == CFIC_X86_LOAD, instruction.size == operand.size,
            instruction.base == operand.base, instruction.index == operand.index, instruction.scale == operand.scale,
            instruction.displacement == operand.displacement, operand.base < 16
        else { return }
        state[instruction.target] = SymbolicValue(.bounded, 8, largest)
    }

    /// Whether it holds behind an instruction, too.
    func outlives(_ instruction: Instruction) -> Bool {
        switch instruction.operation {
        case CFIC_X86_PUSH, CFIC_X86_PUSH_OTHER, CFIC_X86_STORE, CFIC_X86_CALL, CFIC_X86_CALL_INDIRECT, CFIC_X86_POP,
            CFIC_X86_POP_OTHER, CFIC_X86_LEAVE, CFIC_X86_ENTER:
            return false
        default:
            if instruction.writes_memory != 0 { return false }
            return !instruction.writes(operand.base) && !(operand.index < 16 && instruction.writes(operand.index))
        }
    }
}
