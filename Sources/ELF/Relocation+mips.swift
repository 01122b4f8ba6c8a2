extension RelocationRule {
    /// MIPS psABI supplement, "Relocation Types", and that of 64 bits, where a relocation has three types: the second
    /// and third stand above the first, and are none in call frame information.
    static func mips(_ type: UInt32) -> RelocationRule? {
        switch type {
        case 0: .nothing  // R_MIPS_NONE
        case 2: .absolute(4)  // R_MIPS_32
        case 18: .absolute(8)  // R_MIPS_64
        case 248: .placeRelative(4)  // R_MIPS_PC32
        default: nil
        }
    }
}
