/// Follows a function as one kernel's verifier does, but tracks less state. Finds which instructions are reachable, and
/// how large the function's frame is.
///
/// It tracks constants, because libbpf answers queries (`bpf_core_enum_value_exists`, `LINUX_KERNEL_VERSION`) by
/// putting a constant into an instruction, and the verifier then ignores the branch that can't be taken. If the answer
/// to a query isn't known here, both branches are followed, each under its condition. A path found unreachable is
/// unreachable. A path found reachable may be unreachable for the verifier, which knows more.
struct FunctionWalk {
    /// Whether each instruction is reachable.
    private(set) var isReached: [Bool]
    /// The conditions under which an instruction is reachable, for instructions that have any.
    private(set) var conditions: [Int: Set<Condition>] = [:]
    /// The size of the frame in bytes, as far as it can be determined.
    private(set) var frameSize = 0

    private let function: Function
    private let answers: Answers
    /// The state where paths join: at the targets of jumps.
    private var states: [Int: Registers] = [:]
    private var pending: [Int] = []

    init(_ function: Function, _ answers: Answers) {
        self.function = function
        self.answers = answers
        isReached = Array(repeating: false, count: function.instructions.count)
        let targets = Self.targets(function.instructions)
        arrive(at: 0, Registers.atEntry)
        while let start = pending.popLast() {
            guard let registers = states[start] else { continue }
            follow(from: start, registers, targets)
        }
    }

    private static func targets(_ instructions: [Instruction]) -> [Bool] {
        var isTarget = Array(repeating: false, count: instructions.count)
        for (index, instruction) in instructions.enumerated() {
            guard case .jump = instruction.kind else { continue }
            let target = index + 1 + instruction.jumpDistance
            if isTarget.indices.contains(target) { isTarget[target] = true }
        }
        return isTarget
    }

    private mutating func arrive(at index: Int, _ registers: Registers) {
        guard function.instructions.indices.contains(index) else { return }
        if var known = states[index] {
            guard known.merge(registers) else { return }
            states[index] = known
        } else {
            states[index] = registers
        }
        pending.append(index)
    }

    /// Continues until paths branch or join.
    private mutating func follow(from start: Int, _ registers: Registers, _ targets: [Bool]) {
        var registers = registers
        var index = start
        while function.instructions.indices.contains(index) {
            if index != start && targets[index] { return arrive(at: index, registers) }
            isReached[index] = true
            // The last visit, after all paths have joined here, sets the final conditions.
            if conditions[index] != nil || !registers.conditions.isEmpty { conditions[index] = registers.conditions }
            let instruction = function.instructions[index]
            switch instruction.kind {
            case .exit: return
            case .jump(let condition): return part(instruction, condition, at: index, registers)
            case .wideConstant:
                registers[instruction.destination] = constant(at: index, instruction)
                index += 1
            default: execute(instruction, at: index, &registers)
            }
            index += 1
        }
    }

    private mutating func part(
        _ instruction: Instruction, _ condition: Instruction.Condition, at index: Int, _ registers: Registers
    ) {
        let target = index + 1 + instruction.jumpDistance
        guard condition != .always else { return arrive(at: target, registers) }
        let right = instruction.usesRegister ? registers[instruction.source] : Self.immediate(instruction)
        for way in ways(instruction, condition, registers[instruction.destination], right) {
            arrive(at: way.isTaken ? target : index + 1, registers.under(way.condition))
        }
    }

    /// Which outcomes a jump can have, and under which condition each.
    private func ways(
        _ instruction: Instruction, _ condition: Instruction.Condition, _ left: Value, _ right: Value
    ) -> [(isTaken: Bool, condition: Condition?)] {
        guard condition != .mayGoto else { return [(false, nil), (true, nil)] }
        if case .asked(let asked) = left, right.exact != nil {
            return ways(instruction, condition, asked, right)
        }
        let holds = Value.holds(condition, left, right, is64Bit: instruction.is64Bit)
        return holds.map { [($0, nil)] } ?? [(false, nil), (true, nil)]
    }

    private func ways(
        _ instruction: Instruction, _ condition: Instruction.Condition, _ asked: Value.Asked, _ right: Value
    ) -> [(isTaken: Bool, condition: Condition?)] {
        let holds = asked.outcomes.map {
            Value.holds(condition, .exactly($0), right, is64Bit: instruction.is64Bit)
        }
        let subject = asked.question.subject
        switch (asked.question.kind, holds.count) {
        case (.existence, 2):
            guard let no = holds[0], let yes = holds[1] else { return [(false, nil), (true, nil)] }
            if no == yes { return [(yes, nil)] }
            return [
                (yes, Condition(text: "the kernel has \(subject)")),
                (no, Condition(text: "the kernel doesn't have \(subject)")),
            ]
        case (.constant, 1):
            guard let asIs = holds[0] else { return [(false, nil), (true, nil)] }
            return [(asIs, nil), (!asIs, Condition(text: "the loader changes the constant \(subject)"))]
        case (.configuration, _):
            guard asked.isPlain, let value = right.exact else {
                return [
                    (true, Condition(text: "\(subject) is set accordingly")),
                    (false, Condition(text: "\(subject) is not set accordingly")),
                ]
            }
            return [
                (true, Condition(text: "\(subject) \(condition.text) \(value)")),
                (false, Condition(text: "\(subject) \(condition.oppositeText) \(value)")),
            ]
        default: return [(false, nil), (true, nil)]
        }
    }

    private mutating func execute(_ instruction: Instruction, at index: Int, _ registers: inout Registers) {
        switch instruction.kind {
        case .arithmetic(let operation, let usesRegister):
            var right = usesRegister ? registers[instruction.source] : Self.immediate(instruction)
            if let relocation = function.coreRelocations[index] { right = answers.value(of: relocation) }
            // A move or a division with an offset sign-extends or casts.
            registers[instruction.destination] =
                instruction.offset != 0
                ? .unknown
                : Value.result(operation, registers[instruction.destination], right, is64Bit: instruction.is64Bit)
        case .memoryLoad:
            use(registers[instruction.source], Int(instruction.offset))
            registers[instruction.destination] = loaded(instruction, from: registers[instruction.source])
        case .memoryStore:
            use(registers[instruction.destination], Int(instruction.offset))
            use(registers[instruction.source], 0)
            if instruction.mode == .atomic {
                registers[instruction.source] = .unknown
                registers[0] = .unknown
            }
        case .immediateStore: use(registers[instruction.destination], Int(instruction.offset))
        case .call:
            for register in UInt8(1)...5 { use(registers[register], 0) }
            registers.forgetAfterCall()
        case .packetLoad: registers.forgetAfterCall()
        default: registers[instruction.destination] = .unknown
        }
    }

    private func loaded(_ instruction: Instruction, from address: Value) -> Value {
        guard instruction.mode == .memory else { return .unknown }
        switch address {
        case .configurationAddress(let name): return instruction.offset == 0 ? answers.configuration(name) : .unknown
        case .constantAddress(let section, let offset):
            return answers.constant(
                section: section, offset: offset + Int(instruction.offset), size: instruction.accessSize)
        default: return .unknown
        }
    }

    /// Takes into account that a memory access or a callee gets the address of a part of the frame.
    private mutating func use(_ value: Value, _ offset: Int) {
        if case .stack(let base) = value { frameSize = max(frameSize, -(base + offset)) }
    }

    private func constant(at index: Int, _ instruction: Instruction) -> Value {
        if let relocation = function.coreRelocations[index] { return answers.value(of: relocation) }
        switch function.references[index] {
        case .kernelFunction(let name, let isWeak): return isWeak ? answers.weakFunction(name) : .unknown
        case .configuration(let name): return .configurationAddress(name)
        case .constant(let section, let offset): return .constantAddress(section: section, offset: offset)
        case nil:
            guard instruction.source == 0, function.instructions.indices.contains(index + 1) else { return .unknown }
            let high = UInt64(UInt32(bitPattern: function.instructions[index + 1].immediate))
            return .exactly(high << 32 | UInt64(UInt32(bitPattern: instruction.immediate)))
        default: return .unknown
        }
    }

    /// Sign-extended to 64 bits.
    private static func immediate(_ instruction: Instruction) -> Value {
        .exactly(UInt64(bitPattern: Int64(instruction.immediate)))
    }
}
