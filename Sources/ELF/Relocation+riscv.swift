extension RelocationRule {
    /// RISC-V ELF psABI, "Relocations". The linker may still shrink the code between two labels, so even an advance is
    /// a difference: one label's address is added, the other's subtracted.
    static func riscv(_ type: UInt32) -> RelocationRule? {
        switch type {
        case 0, 51: .nothing  // R_RISCV_NONE, R_RISCV_RELAX
        case 1, 56: .absolute(4)  // R_RISCV_32, R_RISCV_SET32
        case 2: .absolute(8)  // R_RISCV_64
        case 33...36: .adding(1 << (Int(type) - 33))  // R_RISCV_ADD8 to ADD64
        case 37...40: .subtracting(1 << (Int(type) - 37))  // R_RISCV_SUB8 to SUB64
        case 52: .subtractingSixBits  // R_RISCV_SUB6
        case 53: .sixBits  // R_RISCV_SET6
        case 54: .absolute(1)  // R_RISCV_SET8
        case 55: .absolute(2)  // R_RISCV_SET16
        case 57: .placeRelative(4)  // R_RISCV_32_PCREL
        default: nil
        }
    }
}
