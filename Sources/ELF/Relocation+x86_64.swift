extension RelocationRule {
    /// x86-64 psABI, table 4.9 "Relocation Types".
    static func x86_64(_ type: UInt32) -> RelocationRule? {
        switch type {
        case 0: .nothing  // R_X86_64_NONE
        case 1: .absolute(8)  // R_X86_64_64
        case 2, 4: .placeRelative(4)  // R_X86_64_PC32, R_X86_64_PLT32: there is no PLT yet
        case 10, 11: .absolute(4)  // R_X86_64_32, R_X86_64_32S
        case 24: .placeRelative(8)  // R_X86_64_PC64
        default: nil
        }
    }
}
