/// An error in call frame information.
///
/// One byte without payload, so that throwing it from the row loop costs only a register. The code that catches it
/// knows the section and offset.
public enum CFIError: UInt8, Error, Sendable, CaseIterable {
    // Entries (DWARF 5 §6.4.1).
    case truncated
    case lengthOutOfBounds
    case ciePointerOutOfBounds
    case notACIE
    case unsupportedVersion
    case unsupportedAugmentation
    case unsupportedAddressSize
    case unsupportedSegmentSelector
    case unsupportedPointerEncoding
    case indirectPointer
    case numberTooWide
    case sectionTooLarge
    case tooManyCIEs
    // Instructions (DWARF 5 §6.4.2).
    case unknownInstruction
    case restoreStateUnderflow
    case rememberStateTooDeep
    case cfaNotRegisterOffset
    case backwardSetLocation
    case unsupportedAddressSpace
    case misalignedAddress
}

extension CFIError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .truncated: "ends in the middle of a value"
        case .lengthOutOfBounds: "length points outside the section"
        case .ciePointerOutOfBounds: "CIE pointer points outside the section"
        case .notACIE: "CIE pointer does not point to a CIE"
        case .unsupportedVersion: "CIE version is not 1, 3 or 4"
        case .unsupportedAugmentation: "unknown augmentation without 'z': its size can't be determined"
        case .unsupportedAddressSize: "address size is not 2, 4 or 8"
        case .unsupportedSegmentSelector: "segment selectors are not supported"
        case .unsupportedPointerEncoding: "invalid pointer encoding"
        case .indirectPointer: "indirect pointer needs the running process"
        case .numberTooWide: "LEB128 number does not fit 64 bits"
        case .sectionTooLarge: "section is larger than 4 GiB"
        case .tooManyCIEs: "more than 65,536 CIEs, or CIEs that overlap each other many times"
        case .unknownInstruction: "unknown CFA instruction"
        case .restoreStateUnderflow: "DW_CFA_restore_state without a remembered state"
        case .rememberStateTooDeep: "DW_CFA_remember_state is nested too deeply"
        case .cfaNotRegisterOffset: "CFA offset or register changed while the CFA is not register+offset"
        case .backwardSetLocation: "DW_CFA_set_loc goes backward"
        case .unsupportedAddressSpace: "CFA lies in another address space"
        case .misalignedAddress: "a row's address is not a multiple of the instruction size"
        }
    }
}
