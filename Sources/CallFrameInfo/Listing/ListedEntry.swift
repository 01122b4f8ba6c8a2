/// An entry as in the listings, but machine-readable: a tree of values that is encoded as JSON.
///
/// Offsets are numbers and addresses are ``HexAddress``es. DWARF expressions and instructions' operands are text, as in
/// the listings.
public struct ListedEntry: Encodable, Sendable {
    public enum Kind: String, Encodable, Sendable {
        case cie, fde, terminator
        /// An entry that can't be read; `problems` gives the cause.
        case malformed
    }

    public var kind: Kind
    public var section: String
    /// Offset in the section.
    public var offset: Int
    /// Size of the entry in bytes, including its length field; 0 if unknown.
    public var bytes: Int
    /// The fields of a CIE.
    public var cie: ListedCIEFields?
    /// The fields of an FDE.
    public var fde: ListedFDEFields?
    /// Nil if not requested.
    public var instructions: [ListedInstruction]?
    /// The rows of an FDE, or the one row after a CIE's instructions; nil if not requested.
    public var rows: [ListedRow]?
    public var problems: [ListingProblem] = []
}

/// The fields of a CIE (DWARF 5 §6.4.1).
public struct ListedCIEFields: Encodable, Sendable {
    public var version: UInt8
    public var augmentation: String
    public var addressBytes: Int
    public var codeAlignment: UInt64
    public var dataAlignment: Int64
    public var returnAddressRegister: UInt64
    public var isSignalFrame: Bool
    /// Return addresses are signed with key B (AArch64).
    public var usesBKey: Bool
    /// The stack is tagged (AArch64 MTE).
    public var isTagged: Bool
}

/// The fields of an FDE (DWARF 5 §6.4.1).
public struct ListedFDEFields: Encodable, Sendable {
    /// Offset of its CIE in the section.
    public var cieOffset: Int
    /// SVMA of the first byte that the FDE covers.
    @HexAddress public var start: UInt64
    /// SVMA of the end (exclusive).
    @HexAddress public var limit: UInt64
}

public struct ListedInstruction: Encodable, Sendable {
    /// Offset in the section.
    public var offset: Int
    /// `DW_CFA_def_cfa_offset`
    public var name: String
    /// `16`; nil if it has none.
    public var operands: String?
    /// The location after the instruction, as an SVMA; nil in a CIE.
    @HexAddress public var address: UInt64?
}

/// One row of the CFI table.
public struct ListedRow: Encodable, Sendable {
    /// SVMA where the row starts; 0 for a CIE's row.
    @HexAddress public var start: UInt64
    /// SVMA where the row ends: the start of the next row, the FDE's end, or the location of an error.
    @HexAddress public var limit: UInt64
    public var cfa: ListedRule
    /// In ascending order of registers; registers without a rule are omitted.
    public var registers: [ListedRule]
    /// Whether the return address is signed (AArch64); nil if no instruction states it.
    public var returnAddressState: ReturnAddressState?

    public enum ReturnAddressState: String, Encodable, Sendable {
        case notSigned = "not-signed"
        case signed
        case signedWithPC = "signed-with-pc"
    }
}

/// How to compute a CFA, or to restore a register.
public struct ListedRule: Encodable, Sendable {
    public enum Kind: String, Encodable, Sendable {
        case unspecified, undefined, register, expression
        case sameValue = "same-value"
        /// In memory at CFA + offset.
        case offset
        /// The value is CFA + offset. For a CFA: register + offset.
        case valueOffset = "value-offset"
        case valueExpression = "value-expression"
        /// The operand is wider than 56 bits.
        case tooWide = "too-wide"
    }

    public var kind: Kind
    /// The register that the rule is for; nil for a CFA.
    public var column: UInt64?
    /// The column's name, if it has one.
    public var name: String?
    /// The register that holds the value, or from which the CFA is computed.
    public var register: UInt64?
    /// In bytes.
    public var offset: Int64?
    /// The DWARF operations as text.
    public var expression: String?
}
