/// Goes through a function as the verifier of one kernel does, but with less memory: which instructions can be
/// reached, and how deep its frame is.
///
/// It follows constants, because libbpf answers questions (`bpf_core_enum_value_exists`, `LINUX_KERNEL_VERSION`) by
/// putting a constant into an instruction, and the verifier then doesn't look at the branch that can't be taken. Where
/// a question's answer isn't known here, both branches count. A way that is found closed is closed; one that is found
/// open may be closed to the verifier, which knows more.
struct FunctionWalk {
    /// Whether each instruction can be reached.
    private(set) var isReached: [Bool]
    /// Bytes below the end of the frame that are used, as far as can be told.
    private(set) var frameSize = 0

    private let function: Function
    private let answers: Answers
    /// What is known where ways meet: at the targets of jumps.
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

    /// Goes on until ways part or meet.
    private mutating func follow(from start: Int, _ registers: Registers, _ targets: [Bool]) {
        var registers = registers
        var index = start
        while function.instructions.indices.contains(index) {
            if index != start && targets[index] { return arrive(at: index, registers) }
            isReached[index] = true
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
        let holds = condition == .mayGoto
            ? nil
            : Value.holds(condition, registers[instruction.destination], right, is64Bit: instruction.is64Bit)
        if holds != true { arrive(at: index + 1, registers) }
        if holds != false { arrive(at: target, registers) }
    }

    private mutating func execute(_ instruction: Instruction, at index: Int, _ registers: inout Registers) {
        switch instruction.kind {
        case .arithmetic(let operation, let usesRegister):
            var right = usesRegister ? registers[instruction.source] : Self.immediate(instruction)
            if let relocation = function.coreRelocations[index] { right = answers.value(of: relocation) }
            // A move or a division with an offset extends signs, or casts.
            registers[instruction.destination] =
                instruction.offset != 0
                ? .unknown
                : Value.result(operation, registers[instruction.destination], right, is64Bit: instruction.is64Bit)
        case .memoryLoad:
            use(registers[instruction.source], Int(instruction.offset))
            let isVersion = registers[instruction.source] == .versionAddress && instruction.offset == 0
            registers[instruction.destination] = isVersion ? .number(answers.kernel.codes) : .unknown
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

    /// What a memory access or a callee gets to see of the frame.
    private mutating func use(_ value: Value, _ offset: Int) {
        if case .stack(let base) = value { frameSize = max(frameSize, -(base + offset)) }
    }

    private func constant(at index: Int, _ instruction: Instruction) -> Value {
        if let relocation = function.coreRelocations[index] { return answers.value(of: relocation) }
        switch function.references[index] {
        case .kernelFunction(_, let isWeak):
            // libbpf makes 0 of a weak one that isn't there.
            return isWeak && answers.kernel < Answers.kernelFunctions ? .exactly(0) : .unknown
        case .configuration(let name): return name == "LINUX_KERNEL_VERSION" ? .versionAddress : .unknown
        case nil:
            guard instruction.source == 0, function.instructions.indices.contains(index + 1) else { return .unknown }
            let high = UInt64(UInt32(bitPattern: function.instructions[index + 1].immediate))
            return .exactly(high << 32 | UInt64(UInt32(bitPattern: instruction.immediate)))
        default: return .unknown
        }
    }

    /// Extended to 64 bits with its sign.
    private static func immediate(_ instruction: Instruction) -> Value {
        .exactly(UInt64(bitPattern: Int64(instruction.immediate)))
    }
}
