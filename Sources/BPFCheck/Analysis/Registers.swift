/// What is known of the eleven registers at one instruction.
struct Registers: Equatable {
    private var values: [Value]
    /// What must hold on all ways here.
    private(set) var conditions: Set<Condition> = []

    /// As a function begins: its arguments may be anything.
    static var atEntry: Registers {
        var registers = Registers(values: Array(repeating: .unknown, count: 11))
        registers.values[10] = .stack(0)
        return registers
    }

    private init(values: [Value]) { self.values = values }

    /// Registers beyond r10, which no verifier takes, are unknown.
    subscript(register: UInt8) -> Value {
        get { register < 11 ? values[Int(register)] : .unknown }
        set { if register < 10 { values[Int(register)] = newValue } }
    }

    /// A call leaves nothing in r0 to r5.
    mutating func forgetAfterCall() {
        for register in 0...5 { values[register] = .unknown }
    }

    /// Merges what is known on another way here; whether that changed anything.
    mutating func merge(_ other: Registers) -> Bool {
        let before = self
        for index in values.indices { values[index] = values[index].merged(with: other.values[index]) }
        conditions.formIntersection(other.conditions)
        return self != before
    }

    /// The same on a way that is only taken if the condition holds.
    func under(_ condition: Condition?) -> Registers {
        // One condition more or less doesn't matter where there are many, and a way may ask a hundred thousand times.
        guard let condition, conditions.count < 8 else { return self }
        var registers = self
        registers.conditions.insert(condition)
        return registers
    }
}
