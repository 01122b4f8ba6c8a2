import CUnwindTable

/// A rule of a table; `cfic/rule.h` defines the layout.
public typealias Rule = cfic_rule

/// Why a row has no rule; `cfic/reasons.h` has the list.
public struct Reason: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    package init(_ code: cfic_reason) { rawValue = code.rawValue }

    public static var noInformation: Reason { Reason(CFIC_REASON_NO_INFORMATION) }

    /// All reasons.
    public static var all: [Reason] { (0..<CFIC_REASON_COUNT.rawValue).map(Reason.init(rawValue:)) }

    var isKnown: Bool { rawValue < CFIC_REASON_COUNT.rawValue }

    /// The reason as text for people.
    public var text: String { cfic_reason_text(rawValue).map { String(cString: $0) } ?? "unknown reason \(rawValue)" }

    /// A stable, machine-readable name such as `unknown-instruction`.
    public var name: String {
        stableName(cfic_reason_name(rawValue), or: "reason-\(rawValue)")
    }
}

extension Rule: @retroactive Equatable {
    @inlinable
    public static func == (left: Rule, right: Rule) -> Bool {
        left.words == right.words
    }
}

extension Rule {
    /// All of the rule's bits; the upper half of the second word is zero.
    @inlinable package var words: (UInt64, UInt64) {
        let parts = unsafeBitCast(self, to: (UInt32, UInt32, UInt32).self)
        return (UInt64(parts.0) | UInt64(parts.1) << 32, UInt64(parts.2))
    }
}

extension Rule: @retroactive Hashable {
    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
    }
}

extension Rule {
    /// Where to find a register's value for the caller.
    public struct Value: Equatable, Sendable {
        public var kind: cfic_value_kind
        public var register: UInt8 = 0
        /// In bytes; for the expression kinds, the index of the program's first operation.
        public var offset: Int16 = 0

        package init(kind: cfic_value_kind, register: UInt8 = 0, offset: Int16 = 0) {
            self.kind = kind
            self.register = register
            self.offset = offset
        }

        public static func == (left: Value, right: Value) -> Bool {
            left.kind.rawValue == right.kind.rawValue && left.register == right.register && left.offset == right.offset
        }

        package var packed: UInt8 { UInt8(truncatingIfNeeded: kind.rawValue) << UInt8(CFIC_VALUE_SHIFT) | register }
    }

    /// A reason in place of a rule.
    public static func unknown(_ reason: Reason) -> Rule {
        Rule(
            kind: UInt8(CFIC_CFA_NONE.rawValue), cfa: 0, fp: 0, ra: 0,
            cfa_offset: Int32(bitPattern: reason.rawValue), fp_offset: 0, ra_offset: 0)
    }

    /// The outermost frame: the return address is undefined.
    public static var endOfStack: Rule {
        Rule(kind: UInt8(CFIC_CFA_END.rawValue), cfa: 0, fp: 0, ra: 0, cfa_offset: 0, fp_offset: 0, ra_offset: 0)
    }

    public var cfaKind: cfic_cfa_kind { cfic_cfa_kind(UInt32(kind) & UInt32(CFIC_CFA_KIND_MASK)) }
    public var flags: UInt8 { kind & ~UInt8(CFIC_CFA_KIND_MASK) }
    public var cfaRegister: UInt8 { cfa & UInt8(CFIC_REGISTER_MASK) }
    /// The number of bytes that a `CFIC_CFA_DEREF` rule adds to the word that it reads.
    public var cfaAddend: Int { Int(cfa >> UInt8(CFIC_VALUE_SHIFT)) * 8 }
    public var framePointer: Value { value(fp, fp_offset) }
    public var returnAddress: Value { value(ra, ra_offset) }

    private func value(_ packed: UInt8, _ offset: Int16) -> Value {
        Value(
            kind: cfic_value_kind(UInt32(packed >> UInt8(CFIC_VALUE_SHIFT))),
            register: packed & UInt8(CFIC_REGISTER_MASK), offset: offset)
    }

    /// The reason in place of a rule; nil if this is a rule.
    public var reason: Reason? {
        cfaKind == CFIC_CFA_NONE ? Reason(rawValue: UInt32(bitPattern: cfa_offset)) : nil
    }

    public var isEndOfStack: Bool { cfaKind == CFIC_CFA_END }
    public var isSignalFrame: Bool { kind & UInt8(CFIC_RULE_SIGNAL) != 0 }
    public var isReturnAddressSigned: Bool { kind & UInt8(CFIC_RULE_RA_SIGNED) != 0 }
    public var needsLiveRegisters: Bool { kind & UInt8(CFIC_RULE_LIVE_REGISTERS) != 0 }
    /// Whether the CFA's program leaves the caller's stack pointer on its stack, below the CFA.
    public var isStackPointerOnStack: Bool { kind & UInt8(CFIC_RULE_SP_ON_STACK) != 0 }
}

extension Rule.Value {
    /// Whether `offset` is an expression index.
    public var isExpression: Bool { kind == CFIC_VALUE_EXPRESSION || kind == CFIC_VALUE_AT_EXPRESSION }
}
