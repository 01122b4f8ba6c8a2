import CUnwindTable
import CallFrameInfo
import UnwindTable

extension CFIError {
    /// The reason of the rows that are unknown because of this error.
    var reason: cfic_reason {
        switch self {
        case .unknownInstruction: CFIC_REASON_UNKNOWN_INSTRUCTION
        case .rememberStateTooDeep: CFIC_REASON_REMEMBER_TOO_DEEP
        case .restoreStateUnderflow, .cfaNotRegisterOffset, .backwardSetLocation, .unsupportedAddressSpace:
            CFIC_REASON_BAD_INSTRUCTION
        case .misalignedAddress: CFIC_REASON_MISALIGNED_ADDRESS
        case .notACIE, .unsupportedVersion, .unsupportedAugmentation, .unsupportedAddressSize,
            .unsupportedSegmentSelector, .ciePointerOutOfBounds, .tooManyCIEs:
            CFIC_REASON_BAD_CIE
        case .truncated, .lengthOutOfBounds, .unsupportedPointerEncoding, .indirectPointer, .numberTooWide,
            .sectionTooLarge:
            CFIC_REASON_BAD_FDE
        }
    }
}
