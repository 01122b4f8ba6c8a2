extension RelocationRule {
    /// ELF for the Arm 64-bit Architecture, "Data relocations".
    static func aarch64(_ type: UInt32) -> RelocationRule? {
        switch type {
        case 0, 256: .nothing  // R_AARCH64_NONE, and its withdrawn number
        case 257: .absolute(8)  // R_AARCH64_ABS64
        case 258: .absolute(4)  // R_AARCH64_ABS32
        case 260: .placeRelative(8)  // R_AARCH64_PREL64
        case 261: .placeRelative(4)  // R_AARCH64_PREL32
        default: nil
        }
    }
}
