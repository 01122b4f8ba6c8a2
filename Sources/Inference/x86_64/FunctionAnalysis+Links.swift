import CZydis

extension FunctionAnalysis {
    /// How a function and others refer to each other.
    struct Links: Sendable {
        /// The numbers of the extents that it calls.
        var calls: Set<Int> = []
        /// The numbers of the extents with an entry of their own in which it continues, with a frame that is its own.
        var continuesIn: Set<Int> = []
        /// How many returns and tail calls there are, jumps to where no function is known to begin aside.
        var exits = 0
        /// How many of these are returns.
        var returns = 0
        /// The numbers of the extents, with an entry of their own, into whose middle it jumps with the stack as at its entry.
        var middles: Set<Int> = []
        /// Whether it takes what its caller left in a callee-saved register for a number or an address, as parts of functions
        /// do.
        var usesCallersRegisters = false
        /// Whether it fails only because rbp isn't what it was, at a return or a jump elsewhere.
        var changesFramePointer = false
    }

    /// Whether an instruction uses a callee-saved register that still holds what it did at the entry: as a part of an address,
    /// or in a comparison. Saving it is none.
    func uses(callersRegistersBy instruction: Instruction) -> Bool {
        func isCallers(_ register: UInt8) -> Bool { register < 16 && current[register].kind == .initial }
        switch instruction.operation {
        case CFIC_X86_NOTHING, CFIC_X86_ADDRESS: return false
        case CFIC_X86_COMPARE: return isCallers(instruction.target) || isCallers(instruction.source)
        case CFIC_X86_COMPARE_IMMEDIATE where instruction.has_memory == 0: return isCallers(instruction.target)
        default: return instruction.has_memory != 0 && (isCallers(instruction.base) || isCallers(instruction.index))
        }
    }
}
