extension RelocationRule {
    /// MIPS psABI supplement and its 64-bit edition, "Relocation Types". A 64-bit relocation has three types, the
    /// second and third in the bits above the first; in call frame information these two are 0.
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
