extension RelocationRule {
    /// LoongArch ELF psABI, "Relocations"; differences are encoded as on RISC-V.
    static func loongArch(_ type: UInt32) -> RelocationRule? {
        switch type {
        case 0, 100: .nothing  // R_LARCH_NONE, R_LARCH_RELAX
        case 1: .absolute(4)  // R_LARCH_32
        case 2: .absolute(8)  // R_LARCH_64
        case 47: .adding(1)  // R_LARCH_ADD8
        case 48: .adding(2)  // R_LARCH_ADD16
        case 50: .adding(4)  // R_LARCH_ADD32
        case 51: .adding(8)  // R_LARCH_ADD64
        case 52: .subtracting(1)  // R_LARCH_SUB8
        case 53: .subtracting(2)  // R_LARCH_SUB16
        case 55: .subtracting(4)  // R_LARCH_SUB32
        case 56: .subtracting(8)  // R_LARCH_SUB64
        case 99: .placeRelative(4)  // R_LARCH_32_PCREL
        case 105: .addingSixBits  // R_LARCH_ADD6
        case 106: .subtractingSixBits  // R_LARCH_SUB6
        case 109: .placeRelative(8)  // R_LARCH_64_PCREL
        default: nil
        }
    }
}
