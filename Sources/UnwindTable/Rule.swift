import CUnwindTable

/// How to get from a frame to its caller: the caller's CFA, frame pointer and return address, or why that is not known.
///
/// 12 bytes, laid out as docs/table-format.md, "Rules", and `cfic/rule.h` specify. The rules of a ``TableView`` are
/// proved: their registers are the machine's, and their expression indices lead to programs that end.
public struct Rule: Sendable {
    @usableFromInline package var fields: cfic_rule

    @inlinable
    package init(_ fields: cfic_rule = cfic_rule()) { self.fields = fields }
}

/// Why a row has no rule. docs/table-format.md, "Reasons", and `cfic/reasons.h` list the codes.
public struct Reason: RawRepresentable, Hashable, Sendable {
    /// The code, as in the table.
    public var rawValue: UInt32

    /// The reason with a code; a table of this format version has only the codes of ``all``.
    @inlinable
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    package init(_ code: cfic_reason) { rawValue = code.rawValue }

    /// No call frame information covers the address: rule 0 of every table.
    public static var noInformation: Reason { Reason(CFIC_REASON_NO_INFORMATION) }

    /// All reasons, by ascending code.
    public static var all: [Reason] { (0..<CFIC_REASON_COUNT.rawValue).map(Reason.init(rawValue:)) }

    var isKnown: Bool { rawValue < CFIC_REASON_COUNT.rawValue }

    /// The reason as text for people.
    public var text: String { cfic_reason_text(rawValue).map { String(cString: $0) } ?? "unknown reason \(rawValue)" }

    /// A stable, machine-readable name such as `unknown-instruction`.
    public var name: String {
        stableName(cfic_reason_name(rawValue), or: "reason-\(rawValue)")
    }
}

extension Rule: Hashable {
    /// Whether all bits are equal.
    @inlinable
    public static func == (left: Rule, right: Rule) -> Bool {
        left.words == right.words
    }

    /// All of the rule's bits; the upper half of the second word is zero.
    @inlinable package var words: (UInt64, UInt64) {
        let parts = unsafeBitCast(self, to: (UInt32, UInt32, UInt32).self)
        return (UInt64(parts.0) | UInt64(parts.1) << 32, UInt64(parts.2))
    }

    /// Hashes all bits.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
    }
}

extension Rule {
    /// How the CFA is computed. The raw values are those of `enum cfic_cfa_kind`.
    public enum CFAKind: UInt8, Sendable {
        /// It is not known; ``Rule/reason`` says why.
        case unknown = 0
        /// The frame is the outermost one: its return address is undefined.
        case endOfStack = 1
        /// CFA = register + offset.
        case register = 2
        /// CFA = the 8 bytes at register + offset, + addend.
        case dereferenced = 3
        /// CFA = the result of the program at the expression index ``Rule/cfaOffset``.
        case expression = 4
    }

    /// Where a register of the caller is.
    public struct Value: Equatable, Sendable {
        /// How the register is found. The raw values are those of `enum cfic_value_kind`.
        public enum Kind: UInt8, Sendable {
            /// It has the value that it has in the callee.
            case same = 0
            /// In the 8 bytes at CFA + offset.
            case atCFA = 1
            /// In the 8 bytes at register + offset.
            case atRegister = 2
            /// It is register + offset.
            case register = 3
            /// It is CFA + offset.
            case cfa = 4
            /// It is the result of the program at the expression index.
            case expression = 5
            /// In the 8 bytes at the result of the program at the expression index.
            case atExpression = 6
            /// It cannot be recovered.
            case undefined = 7
        }

        /// How the register is found.
        public var kind: Kind
        /// DWARF number of the callee's register that ``kind`` names; 0 if it names none.
        public var register: UInt8 = 0
        /// In bytes; of the two kinds of expression, the index of the program's first operation in
        /// ``TableView/operations``.
        public var offset: Int16 = 0

        @inlinable
        package init(kind: Kind, register: UInt8 = 0, offset: Int16 = 0) {
            self.kind = kind
            self.register = register
            self.offset = offset
        }

        /// Whether ``offset`` is an expression index.
        @inlinable
        public var isExpression: Bool { kind == .expression || kind == .atExpression }

        @inlinable
        package var packed: UInt8 { kind.rawValue << UInt8(CFIC_VALUE_SHIFT) | register }
    }

    /// Nothing is known, for a reason.
    @inlinable
    package static func unknown(_ reason: Reason) -> Rule {
        var rule = Rule()
        rule.fields.kind = CFAKind.unknown.rawValue
        rule.fields.cfa_offset = Int32(bitPattern: reason.rawValue)
        return rule
    }

    /// The outermost frame: the return address is undefined.
    @inlinable
    package static var endOfStack: Rule {
        var rule = Rule()
        rule.fields.kind = CFAKind.endOfStack.rawValue
        return rule
    }

    /// How the CFA is computed.
    @inlinable
    public var cfaKind: CFAKind {
        // Proved, or set by the builder: the three bits are one of the kinds.
        statedCFAKind.unsafelyUnwrapped
    }

    /// Nil of a rule that is not proved yet and has none of the kinds.
    @inlinable
    package var statedCFAKind: CFAKind? { CFAKind(rawValue: fields.kind & UInt8(CFIC_CFA_KIND_MASK)) }

    /// DWARF number of the register that the CFA is computed from; 0 if the kind has none.
    @inlinable
    public var cfaRegister: UInt8 { fields.cfa & UInt8(CFIC_REGISTER_MASK) }

    /// What is added to ``cfaRegister``, in bytes; of ``CFAKind/expression``, the index of the program's first operation
    /// in ``TableView/operations``.
    @inlinable
    public var cfaOffset: Int32 { fields.cfa_offset }

    /// What is added to the word that a ``CFAKind/dereferenced`` rule reads, in bytes.
    public var cfaAddend: Int { Int(fields.cfa >> UInt8(CFIC_VALUE_SHIFT)) * 8 }

    /// The caller's frame pointer: rbp on x86-64, x29 on aarch64.
    @inlinable
    public var framePointer: Value { Self.value(fields.fp, fields.fp_offset) }

    /// The return address, which is the caller's pc.
    @inlinable
    public var returnAddress: Value { Self.value(fields.ra, fields.ra_offset) }

    @inlinable
    static func value(_ packed: UInt8, _ offset: Int16) -> Value {
        Value(
            // Three bits, and eight kinds.
            kind: Value.Kind(rawValue: packed >> UInt8(CFIC_VALUE_SHIFT)).unsafelyUnwrapped,
            register: packed & UInt8(CFIC_REGISTER_MASK), offset: offset)
    }

    /// The reason in place of a rule; nil if this is a rule.
    @inlinable
    public var reason: Reason? {
        statedCFAKind == .unknown ? Reason(rawValue: UInt32(bitPattern: fields.cfa_offset)) : nil
    }

    /// Whether the frame is the outermost one of its stack.
    @inlinable
    public var isEndOfStack: Bool { statedCFAKind == .endOfStack }
    /// Whether the kernel made the frame for a signal handler: the caller's pc is exact, not a return address.
    public var isSignalFrame: Bool { fields.kind & UInt8(CFIC_RULE_SIGNAL) != 0 }
    /// Whether the return address carries a pointer authentication code (aarch64).
    public var isReturnAddressSigned: Bool { fields.kind & UInt8(CFIC_RULE_RA_SIGNED) != 0 }
    /// Whether the rule reads registers beside stack and frame pointer, which are known only in the innermost frame and
    /// in one that a signal interrupted.
    public var needsLiveRegisters: Bool { fields.kind & UInt8(CFIC_RULE_LIVE_REGISTERS) != 0 }
    /// Whether the CFA's program leaves the caller's stack pointer below the CFA; else the stack pointer is the CFA.
    public var isStackPointerOnStack: Bool { fields.kind & UInt8(CFIC_RULE_SP_ON_STACK) != 0 }
    /// Whether the rule was made from instructions, because no call frame information covers the code.
    public var isInferred: Bool { fields.kind & UInt8(CFIC_RULE_INFERRED) != 0 }
}
