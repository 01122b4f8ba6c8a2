extension TableView {
    /// A rule as text, such as `CFA = rsp+16, rbp = *(CFA-16), ra = *(CFA-8)`.
    ///
    /// - Parameter number: below the number of rules.
    public func describe(_ number: Int) -> String {
        RuleText(machine: machine, operations: operations).text(of: rules[number])
    }
}

/// Formats rules as text: equations for the caller's registers, flags in parentheses, programs as formulas.
///
/// In formulas, `*` reads 8 bytes and `*u32` four. `/` and comparisons are signed, `%` is unsigned. `>>` keeps the
/// sign, `>>>` shifts in zeros.
public struct RuleText {
    /// The machine whose registers the rules name.
    public let machine: TableMachine
    /// The operations that the rules' indices refer to.
    public let operations: UnsafeBufferPointer<Operation>

    /// Formats rules of one table.
    ///
    /// - Parameters:
    /// - machine: the machine whose registers the rules name.
    /// - operations: the operations that the rules' expression indices refer to, valid as long as this is used.
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
        if rule.isInferred { flags.append("inferred") }
        return parts.joined(separator: ", ") + (flags.isEmpty ? "" : " (\(flags.joined(separator: ", ")))")
    }

    /// The CFA's equation, and the stack pointer's if that is not the CFA.
    private func cfa(_ rule: Rule) -> [String] {
        switch rule.cfaKind {
        case .register: return ["CFA = \(sum(machine.registerName(rule.cfaRegister), rule.cfaOffset))"]
        case .dereferenced:
            let word = "*(\(sum(machine.registerName(rule.cfaRegister), rule.cfaOffset)))"
            return ["CFA = \(sum(word, Int32(rule.cfaAddend)))"]
        default:
            let values = stack(of: rule.cfaOffset)
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
        case .same: same
        case .atCFA: "*(\(sum("CFA", offset)))"
        case .atRegister: "*(\(sum(machine.registerName(value.register), offset)))"
        case .register: sum(machine.registerName(value.register), offset)
        case .cfa: sum("CFA", offset)
        case .expression: stack(of: offset).last ?? "?"
        case .atExpression: "*(\(stack(of: offset).last ?? "?"))"
        case .undefined: "undefined"
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
            if operation.code == .end { break }
            apply(operation, to: &stack)
        }
        return stack.map(withoutOuterParentheses)
    }

    private func apply(_ operation: Operation, to stack: inout [String]) {
        // The proof includes that the stack is deep enough.
        switch operation.code {
        case .register: stack.append(sum(machine.registerName(operation.register), operation.immediate))
        case .pc: stack.append(sum("pc", operation.immediate))
        case .cfa: stack.append(sum("CFA", operation.immediate))
        case .constant: stack.append(String(operation.immediate))
        case .duplicate: stack.append(stack[stack.count - 1 - Int(operation.immediate)])
        case .drop: stack.removeLast()
        case .swap: stack.swapAt(stack.count - 1, stack.count - 2)
        case .rotate: stack.insert(stack.removeLast(), at: stack.count - 2)
        case .load:
            let size = operation.register == 8 ? "" : "u\(8 * operation.register)"
            let address = stack.removeLast()
            let bare = operation.immediate == 0 ? withoutOuterParentheses(address) : sum(address, operation.immediate)
            stack.append("*\(size)(\(bare))")
        case .negate: stack.append("-(\(withoutOuterParentheses(stack.removeLast())))")
        case .not: stack.append("~(\(withoutOuterParentheses(stack.removeLast())))")
        case .absolute: stack.append("abs(\(withoutOuterParentheses(stack.removeLast())))")
        default:
            let right = operation.hasImmediateOperand ? String(operation.immediate) : stack.removeLast()
            let left = stack.removeLast()
            stack.append("(\(left) \(Self.symbol(operation.code)) \(right))")
        }
    }

    private static func symbol(_ operation: Operation.Code) -> String {
        switch operation {
        case .add: "+"
        case .subtract: "-"
        case .multiply: "*"
        case .divide: "/"
        case .modulo: "%"
        case .and: "&"
        case .or: "|"
        case .xor: "^"
        case .shiftLeft: "<<"
        case .shiftRight: ">>>"
        case .shiftRightSigned: ">>"
        case .equal: "=="
        case .notEqual: "!="
        case .less: "<"
        case .lessOrEqual: "<="
        case .greater: ">"
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
