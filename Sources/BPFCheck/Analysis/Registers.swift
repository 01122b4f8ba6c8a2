/// The known values of the eleven registers at one instruction.
struct Registers: Equatable {
    private var values: [Value]
    /// Conditions that hold on all paths to this instruction.
    private(set) var conditions: Set<Condition> = []

    /// The state at a function's entry, where its arguments may have any value.
    static var atEntry: Registers {
        var registers = Registers(values: Array(repeating: .unknown, count: 11))
        registers.values[10] = .stack(0)
        return registers
    }

    private init(values: [Value]) { self.values = values }

    /// Registers beyond r10, which every verifier rejects, are unknown.
    subscript(register: UInt8) -> Value {
        get { register < 11 ? values[Int(register)] : .unknown }
        set { if register < 10 { values[Int(register)] = newValue } }
    }

    /// A call clobbers r0 to r5.
    mutating func forgetAfterCall() {
        for register in 0...5 { values[register] = .unknown }
    }

    /// Merges the state of another path to the same instruction. Returns whether this one changed.
    mutating func merge(_ other: Registers) -> Bool {
        let before = self
        for index in values.indices { values[index] = values[index].merged(with: other.values[index]) }
        conditions.formIntersection(other.conditions)
        return self != before
    }

    /// The same state on a path that is taken only under the condition.
    func under(_ condition: Condition?) -> Registers {
        // With this many conditions, another one doesn't matter, and a path may contain a hundred thousand queries.
        guard let condition, conditions.count < 8 else { return self }
        var registers = self
        registers.conditions.insert(condition)
        return registers
    }
}
