/// What is known about a register or a stack slot, in 64 bits: the kind in the low byte, a qualifier in the second, and
/// 48 signed bits. Two values are equal only if they certainly are.
public struct SymbolicValue: Equatable, Sendable, BitwiseCopyable {
    public enum Kind: UInt8, Sendable {
        case unknown
        /// An address in the stack: a base, numbered by `qualifier`, plus `number`. Base 0 is the CFA; another one is the
        /// stack pointer behind an instruction that aligned it.
        case stack
        /// What register `qualifier` held when the function was entered; 16 is the return address.
        case initial
        case constant
        /// The low `qualifier` bytes, with zeros above, of the value that instruction `number` defined.
        case defined
        /// Its low `qualifier` bytes are at most `number`, without a sign.
        case bounded
        /// At most `number`, without a sign, because bits were masked. More than a program uses, perhaps.
        case masked
        /// An element of jump table `number`.
        case tableElement
        /// A target of jump table `number`.
        case tableTarget
    }

    var bits: UInt64

    init(bits: UInt64) { self.bits = bits }

    init(_ kind: Kind, _ qualifier: UInt8 = 0, _ number: Int64 = 0) {
        let shifted = number &<< 16
        bits =
            shifted &>> 16 == number
            ? UInt64(bitPattern: shifted) | UInt64(qualifier) &<< 8 | UInt64(kind.rawValue) : 0
    }

    public static var unknown: SymbolicValue { SymbolicValue(bits: 0) }
    /// CFA + offset, in bytes.
    public static func cfa(_ offset: Int64) -> SymbolicValue { SymbolicValue(.stack, 0, offset) }
    /// What a register, by DWARF's number, held at the function's entry; 16 is the return address.
    public static func initial(_ register: UInt8) -> SymbolicValue { SymbolicValue(.initial, register) }
    /// A number; unknown if it has more than 48 bits.
    public static func constant(_ number: Int64) -> SymbolicValue { SymbolicValue(.constant, 0, number) }

    public var kind: Kind { Kind(rawValue: UInt8(truncatingIfNeeded: bits)) ?? .unknown }
    public var qualifier: UInt8 { UInt8(truncatingIfNeeded: bits &>> 8) }
    public var number: Int64 { Int64(bitPattern: bits) &>> 16 }

    /// Whether it is an address in the stack.
    public var isStack: Bool { UInt8(truncatingIfNeeded: bits) == Kind.stack.rawValue }
    /// Whether it is CFA + `number`.
    public var isCFA: Bool { UInt16(truncatingIfNeeded: bits) == UInt16(Kind.stack.rawValue) }

    /// The value plus a number; unknown unless it is a constant or an address in the stack.
    public func adding(_ addend: Int64) -> SymbolicValue {
        if addend == 0 { return self }
        switch kind {
        case .stack, .constant: return SymbolicValue(kind, qualifier, number &+ addend)
        default: return .unknown
        }
    }

    /// The largest value, without a sign; nil if no instruction bounds it.
    var largest: Int64? {
        switch kind {
        case .bounded where qualifier == 8: number
        case .masked: number
        case .constant where number >= 0: number
        default: nil
        }
    }

    /// The low `size` bytes, 1 to 8, with zeros above.
    func low(_ size: UInt8) -> SymbolicValue {
        if size == 8 { return self }
        switch kind {
        case .defined: return SymbolicValue(.defined, min(qualifier, size), number)
        case .bounded:
            return size > qualifier ? self : SymbolicValue(.bounded, 8, min(number, 1 << (8 * Int64(size)) - 1))
        case .masked: return SymbolicValue(.masked, 0, min(number, 1 << (8 * Int64(size)) - 1))
        case .constant: return .constant(number & (1 << (8 * Int64(size)) - 1))
        default: return .unknown
        }
    }
}
