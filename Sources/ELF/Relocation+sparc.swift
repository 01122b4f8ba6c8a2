extension RelocationRule {
    /// SPARC and SPARC V9 ABI supplements, "Relocation Types".
    static func sparc(_ type: UInt32) -> RelocationRule? {
        switch type {
        case 0: .nothing  // R_SPARC_NONE
        case 3, 23: .absolute(4)  // R_SPARC_32, R_SPARC_UA32
        case 6: .placeRelative(4)  // R_SPARC_DISP32
        case 32, 54: .absolute(8)  // R_SPARC_64, R_SPARC_UA64
        case 46: .placeRelative(8)  // R_SPARC_DISP64
        default: nil
        }
    }
}
