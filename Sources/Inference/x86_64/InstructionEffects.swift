import CZydis

typealias Instruction = cfic_x86_instruction

extension Instruction {
    var operation: cfic_x86_kind { cfic_x86_kind(UInt32(kind)) }
    func has(_ register: UInt8) -> Bool { register < 16 }
    func writes(_ register: UInt8) -> Bool { written >> UInt16(register) & 1 != 0 }
    /// Whether the memory operand is base + displacement, with a general purpose register as its base.
    var isPlainAddress: Bool { has_memory != 0 && base < 16 && index == UInt8(CFIC_X86_NO_REGISTER) }
}

/// What instructions other than jumps do to a state.
struct InstructionEffects {
    /// The jump tables that values refer to.
    var tables = JumpTables()
    /// Offsets of instructions that aligned an address in the stack, or subtracted something unknown from it: qualifier
    /// N + 1 counts from what instruction N made of it.
    private var rebasings: [Int] = []

    mutating func reset() {
        tables.removeAll()
        rebasings.removeAll(keepingCapacity: true)
    }

    /// - Parameters:
    ///   - offset: of the instruction, which identifies what it defines.
    ///   - next: SVMA of the next instruction.
    mutating func apply(_ instruction: Instruction, at offset: Int, next: UInt64, to state: SymbolicState) {
        let stackPointer = SymbolicState.stackPointer
        switch instruction.operation {
        case CFIC_X86_NOTHING, CFIC_X86_COMPARE, CFIC_X86_COMPARE_IMMEDIATE: break
        case CFIC_X86_PUSH: push(state[instruction.source], 8, state)
        case CFIC_X86_PUSH_OTHER:
            let value =
                instruction.isPlainAddress && instruction.size == 8
                ? state.loaded(from: address(instruction, state)) : .unknown
            push(value, Int64(instruction.size), state)
        case CFIC_X86_POP:
            let value = state.loaded(from: state[stackPointer])
            state[stackPointer] = state[stackPointer].adding(8)
            state[instruction.target] = value
        case CFIC_X86_POP_OTHER:
            state[stackPointer] = state[stackPointer].adding(Int64(instruction.size))
            if instruction.target < 16 { state[instruction.target] = .unknown }
            // The address counts from the stack pointer behind the pop (Intel SDM, POP).
            if instruction.has_memory != 0 { state.forget(8, at: address(instruction, state)) }
        case CFIC_X86_LEAVE: leave(state)
        case CFIC_X86_ENTER:
            push(state[SymbolicState.framePointer], 8, state)
            state[SymbolicState.framePointer] = state[stackPointer]
            state[stackPointer] = state[stackPointer].adding(-instruction.immediate)
        case CFIC_X86_ADD_IMMEDIATE:
            define(instruction.target, state[instruction.target].adding(instruction.immediate), offset, state)
        case CFIC_X86_ADD, CFIC_X86_SUBTRACT: add(instruction, offset, state)
        case CFIC_X86_AND_IMMEDIATE: mask(instruction, offset, state)
        case CFIC_X86_ADDRESS: takeAddress(instruction, offset, next, state)
        case CFIC_X86_SET: state[instruction.target] = .constant(instruction.immediate)
        case CFIC_X86_SET_LOW:
            let value = state[instruction.target]
            state[instruction.target] =
                value.kind == .constant ? .constant(value.number & ~0xff | instruction.immediate) : .unknown
        case CFIC_X86_MOVE:
            if state[instruction.source] == .unknown { define(instruction.source, .unknown, offset, state) }
            state[instruction.target] = state[instruction.source].low(UInt8(instruction.size))
        case CFIC_X86_EXCHANGE:
            let value = state[instruction.target]
            state[instruction.target] = state[instruction.source]
            state[instruction.source] = value
        case CFIC_X86_LOAD, CFIC_X86_LOAD_SIGNED: load(instruction, offset, state)
        case CFIC_X86_STORE:
            if instruction.isPlainAddress {
                state.store(state[instruction.source], at: address(instruction, state))
            }
        case CFIC_X86_CALL, CFIC_X86_CALL_INDIRECT: call(offset, state)
        default: other(instruction, offset, state)
        }
    }

    /// The address of the memory operand, if it is base + displacement.
    private func address(_ instruction: Instruction, _ state: SymbolicState) -> SymbolicValue {
        instruction.isPlainAddress ? state[instruction.base].adding(instruction.displacement) : .unknown
    }

    private func push(_ value: SymbolicValue, _ size: Int64, _ state: SymbolicState) {
        let top = state[SymbolicState.stackPointer].adding(-size)
        state[SymbolicState.stackPointer] = top
        if size == 8 { state.store(value, at: top) } else { state.forget(size, at: top) }
    }

    private func leave(_ state: SymbolicState) {
        let top = state[SymbolicState.framePointer]
        state[SymbolicState.framePointer] = state.loaded(from: top)
        state[SymbolicState.stackPointer] = top.adding(8)
    }

    /// Calls leave the stack as it was, and callee-saved registers (System V ABI, 3.2.1).
    private func call(_ offset: Int, _ state: SymbolicState) {
        for register: UInt8 in [0, 1, 2, 4, 5, 8, 9, 10, 11] { state[register] = .unknown }
        define(0, .unknown, offset, state)
        let top = state[SymbolicState.stackPointer]
        guard top.isStack else { return }
        state.removeSlots { $0.qualifier == top.qualifier && $0.number < top.number }
    }

    private func other(_ instruction: Instruction, _ offset: Int, _ state: SymbolicState) {
        if instruction.writes_memory != 0, instruction.isPlainAddress {
            // An operand of unknown size is at most what xsave writes.
            let size = instruction.size == 0 ? 4096 : Int64(instruction.size)
            state.forget(size, at: address(instruction, state))
        }
        guard instruction.written != 0 else { return }
        for register in 0..<UInt8(16) where instruction.writes(register) {
            define(register, .unknown, offset, state)
            if instruction.cleared >> UInt16(register) & 1 != 0 { state[register] = state[register].low(4) }
        }
    }

    /// Sets a register; to a value that only this instruction defines if nothing else is known about it.
    ///
    /// In a loop no other register still holds what the instruction defined in the round before: on the path on which it is
    /// executed for the first time none does, and paths meet in front of it.
    private func define(_ register: UInt8, _ value: SymbolicValue, _ offset: Int, _ state: SymbolicState) {
        guard value == .unknown else { return state[register] = value }
        guard register != SymbolicState.stackPointer else { return state[register] = .unknown }
        let number = Int64(offset) * 16 + Int64(register)
        state[register] = SymbolicValue(.defined, 8, number)
    }

    private mutating func add(_ instruction: Instruction, _ offset: Int, _ state: SymbolicState) {
        let (left, right) = (state[instruction.target], state[instruction.source])
        var sum = SymbolicValue.unknown
        if instruction.operation == CFIC_X86_ADD {
            sum = self.sum(left, right)
        } else if right.kind == .constant {
            sum = left.adding(-right.number)
        } else if left.isStack, right.largest != nil {
            return rebase(instruction.target, offset, state)
        }
        define(instruction.target, sum, offset, state)
    }

    private mutating func mask(_ instruction: Instruction, _ offset: Int, _ state: SymbolicState) {
        let old = state[instruction.target]
        if old.isStack, instruction.size == 8, instruction.immediate < 0 {
            return rebase(instruction.target, offset, state)
        }
        define(instruction.target, .unknown, offset, state)
        let mask = instruction.size == 4 ? instruction.immediate & 0xffff_ffff : instruction.immediate
        if mask >= 0 { state[instruction.target] = SymbolicValue(.masked, 0, mask) }
    }

    /// A register that holds an address in the stack gets a smaller one, by a distance that isn't known: a new base.
    private mutating func rebase(_ target: UInt8, _ offset: Int, _ state: SymbolicState) {
        let old = state[target]
        let known = rebasings.firstIndex(of: offset)
        if known == nil { rebasings.append(offset) }
        guard let base = UInt8(exactly: (known ?? rebasings.count - 1) + 1) else {
            return state[target] = .unknown
        }
        // The base of an earlier pass through the same instruction is another one.
        for register in 0..<UInt8(16) where state[register].isStack && state[register].qualifier == base {
            state[register] = .unknown
        }
        state.removeSlots { $0.qualifier == base }
        for index in (0..<state.slotCount).reversed() {
            let value = state.value(ofSlot: index)
            if value.isStack, value.qualifier == base { state.forget(8, at: state.address(ofSlot: index)) }
        }
        // What is stored below the old address may be overwritten from the new base.
        if target == SymbolicState.stackPointer {
            state.removeSlots { $0.qualifier == old.qualifier && $0.number < old.number }
        }
        state[target] = SymbolicValue(.stack, base, 0)
    }

    private mutating func takeAddress(
        _ instruction: Instruction, _ offset: Int, _ next: UInt64, _ state: SymbolicState
    ) {
        if instruction.base == UInt8(CFIC_X86_INSTRUCTION_POINTER) {
            state[instruction.target] = .constant(Int64(bitPattern: next) &+ instruction.displacement)
        } else if instruction.index < 16, instruction.base < 16, instruction.scale == 1, instruction.displacement == 0 {
            define(instruction.target, sum(state[instruction.base], state[instruction.index]), offset, state)
        } else {
            define(instruction.target, address(instruction, state), offset, state)
        }
    }

    private mutating func sum(_ left: SymbolicValue, _ right: SymbolicValue) -> SymbolicValue {
        if right.kind == .constant {
            return left.kind == .tableElement ? tables.target(left, base: right.number) : left.adding(right.number)
        }
        guard left.kind == .constant else { return .unknown }
        return right.kind == .tableElement ? tables.target(right, base: left.number) : right.adding(left.number)
    }

    private mutating func load(_ instruction: Instruction, _ offset: Int, _ state: SymbolicState) {
        let isSigned = instruction.operation == CFIC_X86_LOAD_SIGNED
        let isElement = instruction.index < 16 && (isSigned || instruction.size == 8)
        if isElement {
            define(instruction.target, tables.element(instruction, state), offset, state)
        } else if instruction.size == 8 {
            define(instruction.target, state.loaded(from: address(instruction, state)), offset, state)
        } else {
            define(instruction.target, .unknown, offset, state)
            if !isSigned { state[instruction.target] = state[instruction.target].low(UInt8(instruction.size)) }
        }
    }
}
