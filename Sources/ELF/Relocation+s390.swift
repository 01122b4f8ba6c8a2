extension RelocationRule {
    /// s390 and s390x ELF ABI supplements, "Relocation Types".
    static func s390(_ type: UInt32) -> RelocationRule? {
        switch type {
        case 0: .nothing  // R_390_NONE
        case 4: .absolute(4)  // R_390_32
        case 5: .placeRelative(4)  // R_390_PC32
        case 22: .absolute(8)  // R_390_64
        case 23: .placeRelative(8)  // R_390_PC64
        default: nil
        }
    }
}
