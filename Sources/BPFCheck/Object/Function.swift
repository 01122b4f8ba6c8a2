import Search

/// A function of an object. A program is a function that the kernel calls.
struct Function {
    let name: String
    /// The section that contains it, and its offset there, in bytes.
    let section: String
    let start: Int
    let instructions: [Instruction]
    /// The targets of instructions, by instruction index.
    var references: [Int: Reference] = [:]
    var coreRelocations: [Int: BTFExtension.CoreRelocation] = [:]
    /// The number of its type; nil if BTF doesn't have it.
    let type: Int?
    /// Whether kernels verify it separately, for all arguments.
    let isGlobal: Bool
    /// Whether it is a program. `kind` is nil if its section's name isn't known.
    let isProgram: Bool
    let kind: ProgramKind?
    /// Whether libbpf skips the program unless told otherwise.
    var isOptional: Bool { isProgram && section.hasPrefix("?") }
    let lines: [BTFExtension.Line]

    enum Reference: Equatable {
        /// A call, or an address for a callback.
        case function(Int)
        case callback(Int)
        case map(Int)
        case kernelFunction(name: String, isWeak: Bool)
        case kernelVariable(name: String, isTyped: Bool, isWeak: Bool)
        /// A variable that libbpf sets (`__kconfig`).
        case configuration(name: String)
        /// An offset in a section of constants, by section index.
        case constant(section: Int, offset: Int)
        /// Other data of the object.
        case data
        /// Not a function that can be called; the text says what it is.
        case nowhere(String)
    }

    /// The functions that it calls or whose addresses it uses, each with the instruction that does.
    private(set) var callees: [(instruction: Int, function: Int)] = []
    /// The maps that it refers to, each with the instruction that does.
    private(set) var mapUses: [(instruction: Int, map: Int)] = []
    private(set) var hasTailCall = false

    /// Collects callees and maps, once `references` is complete.
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

    /// Indices of instructions, without the second slots of wide constants, which can only be told apart from the
    /// start.
    var firstSlots: [Int] {
        var slots: [Int] = []
        var index = 0
        while index < instructions.count {
            slots.append(index)
            index += instructions[index].kind == .wideConstant ? 2 : 1
        }
        return slots
    }

    /// The line with the greatest offset not after the instruction.
    func line(of instruction: Int) -> BTFExtension.Line? {
        let offset = start + Instruction.size * instruction
        guard let index = lines.lastIndex(atMost: offset, by: { $0.offset }), lines[index].offset >= start else {
            return nil
        }
        return lines[index]
    }
}
