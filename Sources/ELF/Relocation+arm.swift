extension RelocationRule {
    /// ELF for the Arm Architecture, "Static data relocations".
    static func arm(_ type: UInt32) -> RelocationRule? {
        switch type {
        case 0: .nothing  // R_ARM_NONE
        case 2: .absolute(4)  // R_ARM_ABS32
        case 3: .placeRelative(4)  // R_ARM_REL32
        default: nil
        }
    }
}
