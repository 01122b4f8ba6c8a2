extension RelocationRule {
    /// PowerPC and PowerPC64 ELF ABI supplements, "Relocation Types". Types that both define are the same.
    static func powerPC(_ type: UInt32) -> RelocationRule? {
        switch type {
        case 0: .nothing  // R_PPC_NONE
        case 1, 24: .absolute(4)  // R_PPC_ADDR32, R_PPC_UADDR32
        case 26: .placeRelative(4)  // R_PPC_REL32
        case 38, 43: .absolute(8)  // R_PPC64_ADDR64, R_PPC64_UADDR64
        case 44: .placeRelative(8)  // R_PPC64_REL64
        default: nil
        }
    }
}
