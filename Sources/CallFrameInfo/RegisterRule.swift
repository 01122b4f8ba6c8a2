/// The rule for one register in one row (DWARF 5 §6.4.1), in 64 bits: the kind in the low byte, its operand
/// in the 56 bits above.
///
/// An operand that 56 bits can't hold makes the rule `.tooWide`; nothing is ever cut off.
public struct RegisterRule: Equatable, Sendable, BitwiseCopyable {
    @frozen public enum Kind: Sendable, BitwiseCopyable {
        /// No instruction spoke of the register. Not the same as undefined.
        case unspecified
        case undefined
        case sameValue
        /// Saved at CFA + operand.
        case offset
        /// Is CFA + operand.
        case valueOffset
        /// Is in the register operand.
        case register
        /// Saved at the address that the expression computes.
        case expression
        /// Is what the expression computes.
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

    @inlinable
    public init(_ kind: Kind, unsigned operand: UInt64) {
        bits = operand >> 56 == 0 ? operand &<< 8 | UInt64(kind.code) : UInt64(Kind.tooWide.code)
    }

    /// A rule with an expression: 32 bits of offset in the section, 24 bits of length.
    @inlinable
    public init(_ kind: Kind, block: Range<Int>) {
        // Offsets fit because sections of 4 GiB and more are refused.
        let count = UInt64(block.count)
        bits =
            count >> 24 == 0
            ? (count &<< 32 | UInt64(block.lowerBound)) &<< 8 | UInt64(kind.code)
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

    /// The kind in the low byte, the register above it.
    public var base: UInt64
    /// The offset, or the expression's bytes as `RegisterRule` packs them.
    public var operand: Int64

    @inlinable
    init(base: UInt64, operand: Int64) {
        self.base = base
        self.operand = operand
    }

    @inlinable public static var undefined: CFARule { CFARule(base: 0, operand: 0) }

    /// `base` of a CFA that is a register + offset; the register is below 2^56.
    @inlinable public static func base(of register: UInt64) -> UInt64 {
        register &<< 8 | UInt64(Kind.registerOffset.code)
    }

    /// Register + offset. A register number beyond 56 bits saturates: no machine has it.
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
    /// The expression as a register rule: `.expression`, or `.tooWide`.
    @inlinable public var expression: RegisterRule { RegisterRule(bits: UInt64(bitPattern: operand)) }
}

// An enum without payloads is stored as the ordinal of its case. Casting, unlike the raw values that the
// compiler would make, is inlined across modules; the codes come from these enums only.
extension RegisterRule.Kind {
    @inlinable var code: UInt8 { unsafeBitCast(self, to: UInt8.self) }
    @inlinable init(code: UInt8) { self = unsafeBitCast(code, to: Self.self) }
}

extension CFARule.Kind {
    @inlinable var code: UInt8 { unsafeBitCast(self, to: UInt8.self) }
    @inlinable init(code: UInt8) { self = unsafeBitCast(code, to: Self.self) }
}
