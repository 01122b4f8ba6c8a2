extension RelocationRule {
    /// i386 psABI, table 2.9 "Relocation Types".
    static func i386(_ type: UInt32) -> RelocationRule? {
        switch type {
        case 0: .nothing  // R_386_NONE
        case 1: .absolute(4)  // R_386_32
        case 2, 4: .placeRelative(4)  // R_386_PC32, R_386_PLT32: there is no PLT yet
        default: nil
        }
    }
}
