import CUnwindTable

/// The rules of a table, by number. Rule 0 is "no information".
///
/// A table has most rules in a short form, which is expanded when a rule is read. Nothing is allocated.
public struct RuleList: RandomAccessCollection {
    /// One for each rule.
    package let short: UnsafeBufferPointer<cfic_short_rule>
    /// The rules that have no short form.
    package let long: UnsafeBufferPointer<cfic_rule>
    let machine: TableMachine

    /// 0, the number of the first rule.
    public var startIndex: Int { 0 }
    /// The number of rules.
    public var endIndex: Int { short.count }

    /// The rule with a number below ``endIndex``, of a verified table.
    public subscript(number: Int) -> Rule {
        let short = short[number]
        return short.isLong ? Rule(long[short.longIndex]) : Rule(expanding: short, machine: machine)
    }
}

extension cfic_short_rule {
    /// Whether the rule is one of the long rules.
    package var isLong: Bool { Int32(cfa) & CFIC_SHORT_LONG != 0 }

    /// The index among the long rules, if it is one.
    package var longIndex: Int { Int(ra) | Int(fp) << 8 }

    /// The short form of the long rule with an index below 65,536.
    package init(longIndex: Int) {
        self.init(
            ra: UInt8(truncatingIfNeeded: longIndex), fp: UInt8(longIndex >> 8), cfa: UInt16(CFIC_SHORT_LONG))
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.ra == right.ra && left.fp == right.fp && left.cfa == right.cfa
    }
}

extension Rule {
    /// The rule that a short form without `CFIC_SHORT_LONG` means.
    package init(expanding short: cfic_short_rule, machine: TableMachine) {
        var short = short
        var fields = cfic_rule()
        cfic_expand_rule(&short, &fields, UInt32(machine.rawValue))
        self.init(fields)
    }

    /// The short form, in which a table must store the rule; nil if there is none, so that it must store a long rule.
    package func short(machine: TableMachine) -> cfic_short_rule? {
        // What a short form can't say is left out, and then the expansion differs.
        var short = cfic_short_rule()
        if fields.kind & UInt8(CFIC_CFA_KIND_MASK) != CFAKind.unknown.rawValue {
            let words = Int(cfaOffset) / 8
            let link = returnAddress == Value(kind: .register, register: UInt8(CFIC_AARCH64_LR))
            let place = -Int(returnAddress.offset) / 8, framePlace = -Int(framePointer.offset) / 8
            // 255 words are the link register's code.
            guard (0...Int(CFIC_SHORT_CFA_MASK)).contains(words), (0...255).contains(framePlace),
                link || (1..<Int(CFIC_SHORT_RA_LINK)).contains(place)
            else { return nil }
            let isFramePointer = UInt64(cfaRegister) == machine.framePointer
            short.ra = link ? UInt8(CFIC_SHORT_RA_LINK) : UInt8(place)
            short.fp = UInt8(framePlace)
            short.cfa =
                UInt16(words) | (isFramePointer ? UInt16(CFIC_SHORT_CFA_FP) : 0)
                | (isReturnAddressSigned ? UInt16(CFIC_SHORT_RA_SIGNED) : 0)
                | (isInferred ? UInt16(CFIC_SHORT_INFERRED) : 0)
            guard short.isValid(machine: machine) else { return nil }
        }
        return Rule(expanding: short, machine: machine) == self ? short : nil
    }
}

extension cfic_short_rule {
    /// Whether a short form that isn't long and isn't that of rule 0 means a rule of the machine.
    func isValid(machine: TableMachine) -> Bool {
        switch machine {
        case .x86_64: ra != 0 && ra != CFIC_SHORT_RA_LINK && Int32(cfa) & CFIC_SHORT_RA_SIGNED == 0
        case .aarch64: ra != 0
        }
    }
}
