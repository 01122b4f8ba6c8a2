import UnwindTable

/// One row as SFrame describes it: the CFA, and where the caller's return address and frame pointer are (SFrame
/// specification, version 3, "Interpretation of SFrame FREs").
struct SFrameRow: Equatable {
    /// Base + offset, or the word in memory there.
    struct Location: Equatable {
        /// DWARF number of the base register; nil if the base is the CFA.
        var register: UInt8?
        var isInMemory: Bool
        /// In bytes.
        var offset: Int32

        /// Whether it is a word at CFA + offset.
        var isSavedAtCFA: Bool { register == nil && isInMemory }
    }

    /// Nil if the frame is the outermost one.
    var cfa: Location?
    /// Nil if it is where the ABI leaves it: at CFA - 8 on x86-64, in x30 on aarch64.
    var returnAddress: Location?
    /// Nil if the caller's is the callee's.
    var framePointer: Location?
    /// Whether the return address carries a pointer authentication code.
    var isSigned = false

    static let outermost = SFrameRow(cfa: nil)
}

extension SFrameRow {
    /// The row of a rule; nil if SFrame has no words for the rule.
    ///
    /// - Parameter operations: the programs that the rule refers to.
    init?(_ rule: Rule, _ operations: [Operation], machine: TableMachine) {
        if rule.isEndOfStack {
            self = .outermost
            return
        }
        // SFrame takes the CFA for the caller's stack pointer.
        guard rule.reason == nil, !rule.isStackPointerOnStack else { return nil }
        switch rule.cfaKind {
        case .register: cfa = Location(register: rule.cfaRegister, isInMemory: false, offset: rule.cfaOffset)
        case .dereferenced where rule.cfaAddend == 0:
            cfa = Location(register: rule.cfaRegister, isInMemory: true, offset: rule.cfaOffset)
        default: return nil
        }
        switch Self.location(of: rule.framePointer, operations) {
        case .unchanged: framePointer = nil
        case .at(let location): framePointer = location
        case .unsayable: return nil
        }
        guard case .at(let location) = Self.location(of: rule.returnAddress, operations) else { return nil }
        returnAddress = location == machine.initialReturnAddress ? nil : location
        isSigned = rule.isReturnAddressSigned
    }

    private enum Found {
        case unchanged
        case at(Location)
        case unsayable
    }

    private static func location(of value: Rule.Value, _ operations: [Operation]) -> Found {
        let offset = Int32(value.offset)
        return switch value.kind {
        case .same: .unchanged
        case .atCFA: .at(Location(register: nil, isInMemory: true, offset: offset))
        case .atRegister: .at(Location(register: value.register, isInMemory: true, offset: offset))
        case .register: .at(Location(register: value.register, isInMemory: false, offset: offset))
        case .cfa: .at(Location(register: nil, isInMemory: false, offset: offset))
        case .expression: location(of: operations, at: Int(value.offset), isInMemory: false)
        case .atExpression: location(of: operations, at: Int(value.offset), isInMemory: true)
        case .undefined: .unsayable
        }
    }

    /// The location that a program of one operation computes. Rules need one if an offset is wider than 16 bits.
    private static func location(of operations: [Operation], at index: Int, isInMemory: Bool) -> Found {
        guard operations[index + 1].code == .end else { return .unsayable }
        let first = operations[index]
        return switch first.code {
        case .cfa: .at(Location(register: nil, isInMemory: isInMemory, offset: first.immediate))
        case .register: .at(Location(register: first.register, isInMemory: isInMemory, offset: first.immediate))
        default: .unsayable
        }
    }
}

extension TableMachine {
    /// Where a function gets its return address.
    fileprivate var initialReturnAddress: SFrameRow.Location {
        switch self {
        case .x86_64: SFrameRow.Location(register: nil, isInMemory: true, offset: -8)
        case .aarch64: SFrameRow.Location(register: 30, isInMemory: false, offset: 0)
        }
    }
}
