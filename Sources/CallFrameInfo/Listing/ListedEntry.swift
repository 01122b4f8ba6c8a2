/// An entry for programs: what the listings show, as a tree of values that encodes to JSON.
///
/// Offsets are numbers, addresses ``HexAddress``es; DWARF expressions and instructions' operands are the listing's
/// text.
public struct ListedEntry: Encodable, Sendable {
    public enum Kind: String, Encodable, Sendable {
        case cie, fde, terminator
        /// An entry that can't be read; `problems` says why.
        case malformed
    }

    public var kind: Kind
    public var section: String
    /// Offset in the section.
    public var offset: Int
    /// Bytes that the entry takes up, its length field included; 0 if that is unknown.
    public var bytes: Int
    /// The fields of a CIE.
    public var cie: ListedCIEFields?
    /// The fields of an FDE.
    public var fde: ListedFDEFields?
    /// Nil if not asked for.
    public var instructions: [ListedInstruction]?
    /// Of an FDE, or the one that a CIE's instructions leave; nil if not asked for.
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
    /// SVMA of the first byte described.
    @HexAddress public var start: UInt64
    /// SVMA behind the last byte described.
    @HexAddress public var limit: UInt64
}

public struct ListedInstruction: Encodable, Sendable {
    /// Offset in the section.
    public var offset: Int
    /// `DW_CFA_def_cfa_offset`
    public var name: String
    /// `16`; nil if it has none.
    public var operands: String?
    /// SVMA that it has advanced to, or that is in force; nil in a CIE.
    @HexAddress public var address: UInt64?
}

/// One row of the CFI table.
public struct ListedRow: Encodable, Sendable {
    /// SVMA from which the row holds; 0 for a CIE's.
    @HexAddress public var start: UInt64
    /// SVMA of the next row, of the FDE's end, or from which nothing is known because of an error.
    @HexAddress public var limit: UInt64
    public var cfa: ListedRule
    /// By rising number; registers that nothing was said of are left out.
    public var registers: [ListedRule]
    /// Whether the return address is signed; nil unless something was said of that (AArch64).
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
        /// CFA + offset. Of a CFA: register + offset.
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
    /// The register that it is in, or that the CFA is computed from.
    public var register: UInt64?
    /// In bytes.
    public var offset: Int64?
    /// As DWARF operations.
    public var expression: String?
}
