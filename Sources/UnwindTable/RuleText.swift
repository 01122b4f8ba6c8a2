import CUnwindTable

extension TableView {
    /// A rule as text, such as `CFA = rsp+16, rbp = *(CFA-16), ra = *(CFA-8)`.
    ///
    /// - Parameter number: below the number of rules.
    public func describe(_ number: Int) -> String {
        // Not nil: the header's proof includes the machine.
        RuleText(machine: machine ?? .x86_64, operations: operations).text(of: rules[number])
    }
}

/// Formats rules as text: equations for the caller's registers, flags in parentheses, programs as formulas.
///
/// In formulas, `*` reads 8 bytes and `*u32` four. `/` and comparisons are signed, `%` is unsigned. `>>` keeps the
/// sign, `>>>` shifts in zeros.
public struct RuleText {
    public let machine: TableMachine
    /// The operations that the rules' indices refer to.
    public let operations: UnsafeBufferPointer<Operation>

    public init(machine: TableMachine, operations: UnsafeBufferPointer<Operation>) {
        self.machine = machine
        self.operations = operations
    }

    /// - Parameter rule: a rule of a verified table that has these operations.
    public func text(of rule: Rule) -> String {
        if let reason = rule.reason { return "unknown: \(reason.text)" }
        if rule.isEndOfStack { return "end of stack" }
        let framePointer = machine.registerName(UInt8(machine.framePointer))
        var parts = cfa(rule)
        parts.append("\(framePointer) = \(text(of: rule.framePointer, ifSame: framePointer))")
        parts.append("ra = \(text(of: rule.returnAddress, ifSame: "ra"))")
        var flags: [String] = []
        if rule.isSignalFrame { flags.append("signal frame") }
        if rule.isReturnAddressSigned { flags.append("ra signed") }
        if rule.needsLiveRegisters { flags.append("needs live registers") }
        return parts.joined(separator: ", ") + (flags.isEmpty ? "" : " (\(flags.joined(separator: ", ")))")
    }

    /// The CFA's equation, and the stack pointer's if that is not the CFA.
    private func cfa(_ rule: Rule) -> [String] {
        switch rule.cfaKind {
        case CFIC_CFA_REGISTER: return ["CFA = \(sum(machine.registerName(rule.cfaRegister), rule.cfa_offset))"]
        case CFIC_CFA_DEREF:
            let word = "*(\(sum(machine.registerName(rule.cfaRegister), rule.cfa_offset)))"
            return ["CFA = \(sum(word, Int32(rule.cfaAddend)))"]
        default:
            let values = stack(of: rule.cfa_offset)
            var parts = ["CFA = \(values.last ?? "?")"]
            if rule.isStackPointerOnStack, values.count >= 2 {
                parts.append("\(machine.registerName(UInt8(machine.stackPointer))) = \(values[values.count - 2])")
            }
            return parts
        }
    }

    private func text(of value: Rule.Value, ifSame same: String) -> String {
        let offset = Int32(value.offset)
        return switch value.kind {
        case CFIC_VALUE_SAME: same
        case CFIC_VALUE_AT_CFA: "*(\(sum("CFA", offset)))"
        case CFIC_VALUE_AT_REGISTER: "*(\(sum(machine.registerName(value.register), offset)))"
        case CFIC_VALUE_REGISTER: sum(machine.registerName(value.register), offset)
        case CFIC_VALUE_CFA: sum("CFA", offset)
        case CFIC_VALUE_EXPRESSION: stack(of: offset).last ?? "?"
        case CFIC_VALUE_AT_EXPRESSION: "*(\(stack(of: offset).last ?? "?"))"
        default: "undefined"
        }
    }

    private func sum(_ base: String, _ offset: Int32) -> String {
        offset == 0 ? base : "\(base)\(offset < 0 ? "" : "+")\(offset)"
    }

    // MARK: Programs

    /// The formulas on the stack after a program, with its result last.
    private func stack(of first: Int32) -> [String] {
        var stack: [String] = []
        // Terminates: the proof includes that the program ends with `CFIC_OP_END`.
        for operation in operations[Int(first)...] {
            if operation.operation == CFIC_OP_END { break }
            apply(operation, to: &stack)
        }
        return stack.map(withoutOuterParentheses)
    }

    private func apply(_ operation: Operation, to stack: inout [String]) {
        // The proof includes that the stack is deep enough.
        switch operation.operation {
        case CFIC_OP_REGISTER: stack.append(sum(machine.registerName(operation.reg), operation.imm))
        case CFIC_OP_PC: stack.append(sum("pc", operation.imm))
        case CFIC_OP_CFA: stack.append(sum("CFA", operation.imm))
        case CFIC_OP_CONST: stack.append(String(operation.imm))
        case CFIC_OP_DUP: stack.append(stack[stack.count - 1 - Int(operation.imm)])
        case CFIC_OP_DROP: stack.removeLast()
        case CFIC_OP_SWAP: stack.swapAt(stack.count - 1, stack.count - 2)
        case CFIC_OP_ROT: stack.insert(stack.removeLast(), at: stack.count - 2)
        case CFIC_OP_LOAD:
            let size = operation.reg == 8 ? "" : "u\(8 * operation.reg)"
            let address = stack.removeLast()
            let bare = operation.imm == 0 ? withoutOuterParentheses(address) : sum(address, operation.imm)
            stack.append("*\(size)(\(bare))")
        case CFIC_OP_NEG: stack.append("-(\(withoutOuterParentheses(stack.removeLast())))")
        case CFIC_OP_NOT: stack.append("~(\(withoutOuterParentheses(stack.removeLast())))")
        case CFIC_OP_ABS: stack.append("abs(\(withoutOuterParentheses(stack.removeLast())))")
        default:
            let isImmediate = operation.reg == UInt8(CFIC_OPERAND_IMMEDIATE)
            let right = isImmediate ? String(operation.imm) : stack.removeLast()
            let left = stack.removeLast()
            stack.append("(\(left) \(Self.symbol(operation.operation)) \(right))")
        }
    }

    private static func symbol(_ operation: cfic_operation) -> String {
        switch operation {
        case CFIC_OP_ADD: "+"
        case CFIC_OP_SUB: "-"
        case CFIC_OP_MUL: "*"
        case CFIC_OP_DIV: "/"
        case CFIC_OP_MOD: "%"
        case CFIC_OP_AND: "&"
        case CFIC_OP_OR: "|"
        case CFIC_OP_XOR: "^"
        case CFIC_OP_SHL: "<<"
        case CFIC_OP_SHR: ">>>"
        case CFIC_OP_SAR: ">>"
        case CFIC_OP_EQ: "=="
        case CFIC_OP_NE: "!="
        case CFIC_OP_LT: "<"
        case CFIC_OP_LE: "<="
        case CFIC_OP_GT: ">"
        default: ">="
        }
    }

    /// Removes parentheses that enclose the whole formula.
    private func withoutOuterParentheses(_ text: String) -> String {
        guard text.hasPrefix("("), text.hasSuffix(")") else { return text }
        var depth = 0
        for (position, character) in text.utf8.enumerated() {
            if character == UInt8(ascii: "(") { depth += 1 }
            if character == UInt8(ascii: ")") { depth -= 1 }
            if depth == 0, position < text.utf8.count - 1 { return text }
        }
        return String(text.dropFirst().dropLast())
    }
}
