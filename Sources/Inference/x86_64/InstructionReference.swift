import CZydis

extension Instruction {
    /// The SVMA that an instruction takes as a value.
    ///
    /// - Parameters:
    ///   - bytes: its own.
    ///   - next: SVMA of the next instruction.
    ///   - isFixed: whether numbers may be addresses.
    func reference(_ bytes: UnsafePointer<UInt8>, next: UInt64, isFixed: Bool) -> UInt64? {
        switch operation {
        case CFIC_X86_ADDRESS:
            guard base == UInt8(CFIC_X86_INSTRUCTION_POINTER) else { return nil }
            return next &+ UInt64(bitPattern: displacement)
        case CFIC_X86_SET: return isFixed ? UInt64(bitPattern: immediate) : nil
        case CFIC_X86_PUSH_OTHER, CFIC_X86_OTHER:
            // push imm32; mov m64, imm32
            let opcode = bytes[0] & 0xf0 == 0x40 ? bytes[1] : bytes[0]
            guard isFixed, length > 4, opcode == 0x68 || opcode == 0xc7 else { return nil }
            let last = UnsafeRawPointer(bytes + Int(length) - 4).loadUnaligned(as: Int32.self)
            return UInt64(bitPattern: Int64(last))
        default: return nil
        }
    }
}
