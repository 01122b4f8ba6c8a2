/// The known contents of a register.
enum Value: Equatable {
    case unknown
    /// A number, or a range of numbers; unsigned.
    case number(ClosedRange<UInt64>)
    /// The end of the frame plus this offset, plus an index that isn't negative.
    case stack(Int)
    /// The address of a variable of `.kconfig`, which libbpf assigns.
    case configurationAddress(String)
    /// An address in a section of constants.
    case constantAddress(section: Int, offset: Int)
    /// The answer to a question that isn't known here, or a result computed from it.
    case asked(Asked)

    /// A question, with the contents of the register for each of its answers: no and yes for an existence; the object's
    /// own value for a constant; none for a configuration.
    struct Asked: Equatable {
        let question: Question
        var outcomes: [UInt64]
        /// Whether the register holds the answer itself, not a result computed from it.
        var isPlain = true

        init(_ question: Question, outcomes: [UInt64]) {
            self.question = question
            self.outcomes = outcomes
        }

        /// Applies an operation to the contents for each answer; nil if one of them has no exact result.
        func map(isPlain: Bool = false, _ operation: (Value) -> Value) -> Asked? {
            var result = self
            result.isPlain = isPlain
            result.outcomes = outcomes.compactMap { operation(.exactly($0)).exact }
            return result.outcomes.count == outcomes.count ? result : nil
        }
    }

    static func exactly(_ number: UInt64) -> Value { .number(number...number) }

    var exact: UInt64? {
        if case .number(let range) = self, range.lowerBound == range.upperBound { range.lowerBound } else { nil }
    }

    /// The known contents where two paths join. A value can only become unknown, so the walk terminates.
    func merged(with other: Value) -> Value { self == other ? self : .unknown }

    /// The low 32 bits, which are the result of 32-bit instructions.
    var low: Value {
        switch self {
        case .number(let range) where range.upperBound <= UInt64(UInt32.max): self
        case .number: exact.map { .exactly($0 & 0xffff_ffff) } ?? .unknown
        case .asked(let asked): asked.map(isPlain: asked.isPlain) { $0.low }.map(Value.asked) ?? .unknown
        default: .unknown
        }
    }

    /// The result of an instruction. Covers what compilers do with constants and with pointers into the stack.
    static func result(_ operation: Instruction.Operation, _ left: Value, _ right: Value, is64Bit: Bool) -> Value {
        if operation == .move { return is64Bit ? right : right.low }
        if case .stack(let offset) = left, is64Bit {
            switch (operation, right.exact) {
            case (.add, let number?): return moved(offset, by: Int64(bitPattern: number))
            case (.subtract, let number?): return moved(offset, by: 0 &- Int64(bitPattern: number))
            case (.add, nil): return left
            default: return .unknown
            }
        }
        if case .stack = right, operation == .add, is64Bit { return result(.add, right, left, is64Bit: true) }
        if case .constantAddress(let section, let offset) = left, operation == .add, is64Bit, let number = right.exact {
            // Sections are smaller than this, and neither sum can overflow.
            let distance = Int64(bitPattern: number)
            guard abs(offset) < 1 << 32, (-1 << 32...1 << 32).contains(distance) else { return .unknown }
            return .constantAddress(section: section, offset: offset + Int(distance))
        }
        if case .asked(let asked) = left, right.exact != nil {
            return asked.map { result(operation, $0, right, is64Bit: is64Bit) }.map(Value.asked) ?? .unknown
        }
        guard var a = left.exact, var b = right.exact else { return .unknown }
        if !is64Bit { (a, b) = (a & 0xffff_ffff, b & 0xffff_ffff) }
        let bits: UInt64 = is64Bit ? 63 : 31
        let value: UInt64? =
            switch operation {
            case .add: a &+ b
            case .subtract: a &- b
            case .multiply: a &* b
            case .or: a | b
            case .and: a & b
            case .xor: a ^ b
            case .shiftLeft: a << (b & bits)
            case .shiftRight: a >> (b & bits)
            case .shiftRightSigned:
                is64Bit
                    ? UInt64(bitPattern: Int64(bitPattern: a) >> Int64(b & bits))
                    : UInt64(UInt32(bitPattern: Int32(truncatingIfNeeded: a) >> Int32(b & bits)))
            default: nil
            }
        guard let value else { return .unknown }
        return .exactly(is64Bit ? value : value & 0xffff_ffff)
    }

    /// An offset that no frame has makes the value unknown.
    private static func moved(_ offset: Int, by distance: Int64) -> Value {
        let frames: ClosedRange<Int64> = -4096...4096
        guard frames.contains(distance), frames.contains(Int64(offset) + distance) else { return .unknown }
        return .stack(offset + Int(distance))
    }

    /// Whether a condition holds; nil if it isn't known.
    static func holds(_ condition: Instruction.Condition, _ left: Value, _ right: Value, is64Bit: Bool) -> Bool? {
        if case .stack = left, right.exact == 0, is64Bit {
            switch condition {
            case .equal: return false
            case .notEqual: return true
            default: return nil
            }
        }
        guard case .number(let a) = is64Bit ? left : left.low, case .number(let b) = is64Bit ? right : right.low
        else { return nil }
        switch condition {
        case .equal: return a.overlaps(b) ? (a.count == 1 && b.count == 1 ? true : nil) : false
        case .notEqual: return holds(.equal, left, right, is64Bit: is64Bit).map { !$0 }
        case .greater: return decide(a.lowerBound > b.upperBound, a.upperBound <= b.lowerBound)
        case .greaterOrEqual: return decide(a.lowerBound >= b.upperBound, a.upperBound < b.lowerBound)
        case .less: return decide(a.upperBound < b.lowerBound, a.lowerBound >= b.upperBound)
        case .lessOrEqual: return decide(a.upperBound <= b.lowerBound, a.lowerBound > b.upperBound)
        default: break
        }
        if condition == .anyBit { return a.count == 1 && b.count == 1 ? a.lowerBound & b.lowerBound != 0 : nil }
        guard let x = signed(a, is64Bit: is64Bit), let y = signed(b, is64Bit: is64Bit) else { return nil }
        switch condition {
        case .greaterSigned: return decide(x.lowerBound > y.upperBound, x.upperBound <= y.lowerBound)
        case .greaterOrEqualSigned: return decide(x.lowerBound >= y.upperBound, x.upperBound < y.lowerBound)
        case .lessSigned: return decide(x.upperBound < y.lowerBound, x.lowerBound >= y.upperBound)
        case .lessOrEqualSigned: return decide(x.upperBound <= y.lowerBound, x.lowerBound > y.upperBound)
        default: return nil
        }
    }

    /// The range as signed numbers; nil if it includes both the largest number and the smallest.
    private static func signed(_ range: ClosedRange<UInt64>, is64Bit: Bool) -> ClosedRange<Int64>? {
        func number(_ value: UInt64) -> Int64 {
            is64Bit ? Int64(bitPattern: value) : Int64(Int32(truncatingIfNeeded: value))
        }
        let (low, high) = (number(range.lowerBound), number(range.upperBound))
        return low <= high ? low...high : nil
    }

    private static func decide(_ yes: Bool, _ no: Bool) -> Bool? { yes ? true : no ? false : nil }
}
