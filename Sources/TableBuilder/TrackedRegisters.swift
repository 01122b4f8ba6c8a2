import CallFrameInfo
import UnwindTable

/// The register columns that tables need.
struct TrackedRegisters<A: Architecture>: RegisterColumns {
    var framePointer = RegisterRule.unspecified
    var returnAddress = RegisterRule.unspecified
    var stackPointer = RegisterRule.unspecified
    /// Whether the return address is signed. If only toggling instructions changed it, the rule is unspecified and its
    /// operand is the state: bit 0 for "signed", bit 1 for "with the pc as a modifier".
    var signingState = RegisterRule.unspecified
    /// The CIE's return address column.
    let returnAddressColumn: UInt64
    /// Where `RuleCache` keeps the rules of rows with these columns and this CFA register. Changing a column makes it
    /// unknown; changing the register makes only the slots unknown.
    var contextSlots = ContextSlots.unknown

    init(returnAddressColumn: UInt64) { self.returnAddressColumn = returnAddressColumn }

    @inline(__always)
    func keeps(_ register: UInt64) -> Bool {
        if register == A.framePointer || register == returnAddressColumn || register == A.stackPointer { return true }
        if let column = A.signingStateColumn { return register == column }
        return false
    }

    @inline(__always)
    func rule(for register: UInt64) -> RegisterRule {
        if register == returnAddressColumn { return returnAddress }
        if register == A.framePointer { return framePointer }
        if register == A.stackPointer { return stackPointer }
        if let column = A.signingStateColumn, register == column { return signingState }
        return .unspecified
    }

    @inline(__always)
    mutating func setRule(_ rule: RegisterRule, for register: UInt64) {
        if register == returnAddressColumn {
            returnAddress = rule
        } else if register == A.framePointer {
            framePointer = rule
        } else if register == A.stackPointer {
            stackPointer = rule
        } else if let column = A.signingStateColumn, register == column {
            signingState = rule
        } else {
            return
        }
        contextSlots = .unknown
    }

    mutating func cfaRegisterChanged() { contextSlots = contextSlots.withoutSlots }

    mutating func negateReturnAddressState(withPC: Bool) {
        toggle(withPC ? 0b11 : 0b01)
    }

    mutating func setReturnAddressState(_ state: UInt64) {
        contextSlots = .unknown
        signingState = state <= 2 ? RegisterRule(.unspecified, unsigned: state == 2 ? 0b11 : state) : .undefined
    }

    mutating func toggle(_ mask: UInt64) {
        contextSlots = .unknown
        // Toggling instructions must not be mixed with rules for the column (AArch64 DWARF ABI §5.1).
        signingState =
            signingState.kind == .unspecified
            ? RegisterRule(.unspecified, unsigned: signingState.register ^ mask) : .undefined
    }
}
