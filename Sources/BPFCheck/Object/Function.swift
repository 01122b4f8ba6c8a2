import Search

/// A function of an object, or a program, which is a function that the kernel calls.
struct Function {
    let name: String
    /// The section that it is in, and the byte where it starts there.
    let section: String
    let start: Int
    let instructions: [Instruction]
    /// What instructions refer to, by their index.
    var references: [Int: Reference] = [:]
    var coreRelocations: [Int: BTFExtension.CoreRelocation] = [:]
    /// The number of its type; nil if BTF doesn't say.
    let type: Int?
    /// Whether kernels verify it by itself, for any arguments.
    let isGlobal: Bool
    /// Whether it is a program. `kind` is nil if the name of its section says nothing.
    let isProgram: Bool
    let kind: ProgramKind?
    /// Whether libbpf leaves the program out unless it is told to load it.
    var isOptional: Bool { isProgram && section.hasPrefix("?") }
    let lines: [BTFExtension.Line]

    enum Reference: Equatable {
        /// A call, or the address for a callback.
        case function(Int)
        case callback(Int)
        case map(Int)
        case kernelFunction(name: String, isWeak: Bool)
        case kernelVariable(name: String, isTyped: Bool, isWeak: Bool)
        /// A variable that libbpf fills in (`__kconfig`).
        case configuration(name: String)
        /// A place in a section of constants, by the section's number.
        case constant(section: Int, offset: Int)
        /// Other data of the object.
        case data
        /// Nothing that can be called; says what there is.
        case nowhere(String)
    }

    /// The functions that it calls or gives away, with the instruction that does.
    private(set) var callees: [(instruction: Int, function: Int)] = []
    /// The maps that it names, with the instruction that does.
    private(set) var mapUses: [(instruction: Int, map: Int)] = []
    private(set) var hasTailCall = false

    /// Puts together what instructions refer to, once `references` is complete.
    mutating func collectReferences() {
        for (index, reference) in references.sorted(by: { $0.key < $1.key }) {
            switch reference {
            case .function(let function), .callback(let function): callees.append((index, function))
            case .map(let map): mapUses.append((index, map))
            default: break
            }
        }
        hasTailCall = firstSlots.contains { instructions[$0].isTailCall }
    }

    /// Whether the second slot of a wide constant is at `index` can't be told from there: this goes from the start.
    var firstSlots: [Int] {
        var slots: [Int] = []
        var index = 0
        while index < instructions.count {
            slots.append(index)
            index += instructions[index].kind == .wideConstant ? 2 : 1
        }
        return slots
    }

    /// The last line that begins at or before the instruction.
    func line(of instruction: Int) -> BTFExtension.Line? {
        let offset = start + Instruction.size * instruction
        guard let index = lines.lastIndex(atMost: offset, by: { $0.offset }), lines[index].offset >= start else {
            return nil
        }
        return lines[index]
    }
}
