/// The rule for one register in one row (DWARF 5 §6.4.1), in 64 bits: the kind in the low byte, its operand in the
/// upper 56 bits.
///
/// A rule whose operand doesn't fit 56 bits is `.tooWide`; operands are never truncated.
public struct RegisterRule: Equatable, Sendable, BitwiseCopyable {
    @frozen public enum Kind: Sendable, BitwiseCopyable {
        /// No instruction set a rule for the register. Not the same as undefined.
        case unspecified
        case undefined
        case sameValue
        /// Saved at CFA + operand.
        case offset
        /// The value is CFA + operand.
        case valueOffset
        /// Saved in the register whose number is the operand.
        case register
        /// Saved at the address that the expression computes.
        case expression
        /// The value is the result of the expression.
        case valueExpression
        /// The operand is wider than 56 bits.
        case tooWide
    }

    public var bits: UInt64

    @inlinable init(bits: UInt64) { self.bits = bits }

    @inlinable
    public init(_ kind: Kind, signed operand: Int64 = 0) {
        let shifted = operand &<< 8
        bits =
            shifted &>> 8 == operand
            ? UInt64(bitPattern: shifted) | UInt64(kind.code) : UInt64(Kind.tooWide.code)
    }

    /// Saved at CFA + offset, which has at most 56 bits.
    @inlinable @inline(__always)
    init(savedAtUsual offset: Int64) {
        bits = UInt64(bitPattern: offset &<< 8) | UInt64(Kind.offset.code)
    }

    @inlinable
    public init(_ kind: Kind, unsigned operand: UInt64) {
        bits = operand >> 56 == 0 ? operand &<< 8 | UInt64(kind.code) : UInt64(Kind.tooWide.code)
    }

    /// A rule with an expression; its operand is 32 bits of offset in the section and 24 bits of length.
    ///
    /// Listings read sections of 4 GiB and more, which `FrameIndex` rejects: there, offsets may not fit.
    @inlinable
    public init(_ kind: Kind, block: Range<Int>) {
        let (count, start) = (UInt64(block.count), UInt64(block.lowerBound))
        bits =
            count >> 24 == 0 && start >> 32 == 0
            ? (count &<< 32 | start) &<< 8 | UInt64(kind.code)
            : UInt64(Kind.tooWide.code)
    }

    @inlinable public static var unspecified: RegisterRule { RegisterRule(bits: 0) }
    @inlinable public static var sameValue: RegisterRule { RegisterRule(bits: UInt64(Kind.sameValue.code)) }
    @inlinable public static var undefined: RegisterRule { RegisterRule(bits: UInt64(Kind.undefined.code)) }

    @inlinable public var kind: Kind { Kind(code: UInt8(truncatingIfNeeded: bits)) }
    @inlinable public var offset: Int64 { Int64(bitPattern: bits) &>> 8 }
    @inlinable public var register: UInt64 { bits &>> 8 }
    @inlinable public var block: Range<Int> {
        let start = Int(bits &>> 8 & 0xffff_ffff)
        return start..<start &+ Int(bits &>> 40)
    }
}

/// How a row computes its CFA.
public struct CFARule: Equatable, Sendable, BitwiseCopyable {
    @frozen public enum Kind: Sendable, BitwiseCopyable {
        case undefined
        case registerOffset
        case expression
    }

    /// The kind in the low byte, the register in the upper 56 bits.
    public var base: UInt64
    /// The offset, or the expression as a `RegisterRule`'s bits.
    public var operand: Int64

    @inlinable
    init(base: UInt64, operand: Int64) {
        self.base = base
        self.operand = operand
    }

    @inlinable public static var undefined: CFARule { CFARule(base: 0, operand: 0) }

    /// The `base` of a CFA that is register + offset. The register must be below 2^56.
    @inlinable public static func base(of register: UInt64) -> UInt64 {
        register &<< 8 | UInt64(Kind.registerOffset.code)
    }

    /// Register + offset. A register number of more than 56 bits saturates; no machine has one.
    @inlinable
    public static func register(_ register: UInt64, offset: Int64) -> CFARule {
        CFARule(
            base: min(register, 1 << 56 - 1) &<< 8 | UInt64(Kind.registerOffset.code), operand: offset)
    }

    @inlinable
    public static func expression(_ block: Range<Int>) -> CFARule {
        CFARule(
            base: UInt64(Kind.expression.code),
            operand: Int64(bitPattern: RegisterRule(.expression, block: block).bits))
    }

    @inlinable public var kind: Kind { Kind(code: UInt8(truncatingIfNeeded: base)) }
    @inlinable public var register: UInt64 { base &>> 8 }
    @inlinable public var offset: Int64 { operand }
    /// The expression as a register rule: `.expression` or `.tooWide`.
    @inlinable public var expression: RegisterRule { RegisterRule(bits: UInt64(bitPattern: operand)) }
}

// An enum without payloads is stored as the ordinal of its case. Unlike the accessors of raw values that the compiler
// synthesizes, this cast is inlined across modules. It is safe because codes come only from these enums.
extension RegisterRule.Kind {
    @inlinable var code: UInt8 { unsafeBitCast(self, to: UInt8.self) }
    @inlinable init(code: UInt8) { self = unsafeBitCast(code, to: Self.self) }
}

extension CFARule.Kind {
    @inlinable var code: UInt8 { unsafeBitCast(self, to: UInt8.self) }
    @inlinable init(code: UInt8) { self = unsafeBitCast(code, to: Self.self) }
}
