/// The rules of all registers, for listings.
///
/// Sparse and sorted by register number: an FDE sets rules for only a few registers, whose numbers may be large.
/// Copies share memory until one of them changes.
public struct AllRegisters: RegisterColumns, Equatable, Sendable {
    /// A register and its rule.
    public struct Column: Equatable, Sendable, BitwiseCopyable {
        public var register: UInt64
        public var rule: RegisterRule
    }

    /// The most registers that can have rules at once. No known machine has more. Without a limit, an FDE that
    /// sets rules for a million registers would take quadratic time in copies.
    @inlinable public static var limit: Int { 256 }

    /// The largest size of a remembered state, in bytes.
    @inlinable public static var largestSize: Int {
        MemoryLayout<AllRegisters>.stride + limit * MemoryLayout<Column>.stride + 32
    }

    /// The registers that have or had a rule of their own, in ascending order.
    public private(set) var columns: [Column] = []
    /// Whether rules were left out because more than `limit` registers have one.
    public private(set) var isIncomplete = false

    public init() {}

    public func keeps(_ register: UInt64) -> Bool { true }

    public func rule(for register: UInt64) -> RegisterRule {
        let index = place(of: register)
        guard index < columns.count, columns[index].register == register else { return .unspecified }
        return columns[index].rule
    }

    public mutating func setRule(_ rule: RegisterRule, for register: UInt64) {
        let index = place(of: register)
        if index < columns.count, columns[index].register == register {
            // Writing an equal rule would copy shared memory needlessly.
            if columns[index].rule != rule { columns[index].rule = rule }
        } else if columns.count < Self.limit {
            columns.insert(Column(register: register, rule: rule), at: index)
        } else {
            isIncomplete = true
        }
    }

    /// The index of the first column whose register is at least `register`.
    private func place(of register: UInt64) -> Int {
        if columns.count <= 16 {
            var index = 0
            while index < columns.count, columns[index].register < register { index += 1 }
            return index
        }
        var low = 0
        var high = columns.count
        while low < high {
            let middle = (low + high) / 2
            if columns[middle].register < register { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// Whether the return address is signed: AArch64's pseudo-register 34, `RA_SIGN_STATE` (AArch64 DWARF ABI §4.1).
extension AllRegisters {
    /// The column of the state.
    public static var signingStateRegister: UInt64 { 34 }

    public mutating func negateReturnAddressState(withPC: Bool) {
        let current = rule(for: Self.signingStateRegister)
        // Toggling instructions must not be mixed with rules for the column (AArch64 DWARF ABI §5.1).
        guard let state = current.signingState else { return setRule(.undefined, for: Self.signingStateRegister) }
        setRule(RegisterRule(signingState: state ^ (withPC ? 0b11 : 0b01)), for: Self.signingStateRegister)
    }

    public mutating func setReturnAddressState(_ state: UInt64) {
        // 0: not signed, 1: signed, 2: signed with the pc as an additional modifier.
        let rule = state <= 2 ? RegisterRule(signingState: state == 2 ? 0b11 : state) : .undefined
        setRule(rule, for: Self.signingStateRegister)
    }
}

extension RegisterRule {
    /// The state that toggling instructions store in column 34: an unspecified rule whose operand has bit 0 for
    /// "signed" and bit 1 for "with the pc as a modifier". Nil if the column has an actual rule.
    var signingState: UInt64? { kind == .unspecified ? register : nil }

    init(signingState: UInt64) { self.init(.unspecified, unsigned: signingState) }
}
