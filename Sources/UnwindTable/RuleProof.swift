import CUnwindTable

/// Proves the rules and their programs.
struct RuleProof {
    let view: TableView
    let machine: TableMachine

    private struct Problem: Error {
        var text: String
        /// Index of the invalid operation; nil if the rule itself is invalid.
        var operation: Int?
    }

    func check() throws(TableDefect) {
        let rules = view.rules
        guard (1...Int(CFIC_RULES_MAX)).contains(rules.count) else {
            throw TableDefect(
                section: "rules", offset: view.offset(of: CFIC_SECTION_RULES, 0),
                problem: "there are no rules, or more than 65,536")
        }
        for number in rules.indices {
            do throws(Problem) {
                guard number != 0 || rules[0] == .unknown(.noInformation) else {
                    throw Problem(text: "rule 0 is not \"no information\"")
                }
                try check(rules[number])
            } catch {
                let offset =
                    error.operation.map {
                        view.offset(of: CFIC_SECTION_EXPRESSIONS, $0 * MemoryLayout<Operation>.size)
                    } ?? view.offset(of: CFIC_SECTION_RULES, number * MemoryLayout<Rule>.size)
                throw TableDefect(
                    section: error.operation == nil ? "rules" : "expressions", offset: offset,
                    problem: "rule \(number): \(error.text)")
            }
        }
    }

    private func check(_ rule: Rule) throws(Problem) {
        switch rule.cfaKind {
        case CFIC_CFA_NONE:
            guard let reason = rule.reason, rule == .unknown(reason), reason.isKnown else {
                throw Problem(text: "unknown reason, or a reason combined with a rule")
            }
            return
        case CFIC_CFA_END:
            guard rule == .endOfStack else { throw Problem(text: "end of stack combined with a rule") }
            return
        case CFIC_CFA_REGISTER:
            guard rule.cfaAddend == 0 else { throw Problem(text: "addend without a load") }
            try check(register: rule.cfaRegister)
        case CFIC_CFA_DEREF: try check(register: rule.cfaRegister)
        case CFIC_CFA_EXPRESSION:
            guard rule.cfa == 0 else { throw Problem(text: "register or addend beside an expression") }
        default: throw Problem(text: "unknown kind of CFA")
        }
        let readsLive = try checkParts(rule)
        guard !readsLive || rule.needsLiveRegisters else {
            throw Problem(text: "reads an untracked register without the flag that says so")
        }
    }

    /// Proves flags, frame pointer, return address and programs of a rule that has a CFA. Returns whether it reads
    /// registers other than stack pointer and frame pointer.
    private func checkParts(_ rule: Rule) throws(Problem) -> Bool {
        let known = CFIC_RULE_SIGNAL | CFIC_RULE_RA_SIGNED | CFIC_RULE_LIVE_REGISTERS | CFIC_RULE_SP_ON_STACK
        guard Int32(rule.flags) & ~known == 0 else { throw Problem(text: "unknown flag") }
        guard !rule.isReturnAddressSigned || machine == .aarch64 else {
            throw Problem(text: "signed return address on a machine without pointer authentication")
        }
        guard !rule.isStackPointerOnStack || rule.cfaKind == CFIC_CFA_EXPRESSION else {
            throw Problem(text: "stack pointer on the stack without a program")
        }
        switch rule.returnAddress.kind {
        case CFIC_VALUE_SAME, CFIC_VALUE_UNDEFINED: throw Problem(text: "return address has no location")
        default: break
        }
        var readsLive = false
        if rule.cfaKind == CFIC_CFA_EXPRESSION {
            let depth = rule.isStackPointerOnStack ? 2 : 1
            readsLive = try checkProgram(rule.cfa_offset, leaves: depth, isCFA: true)
        } else {
            readsLive = isLive(rule.cfaRegister)
        }
        for value in [rule.framePointer, rule.returnAddress] where try check(value) { readsLive = true }
        return readsLive
    }

    private func check(_ value: Rule.Value) throws(Problem) -> Bool {
        switch value.kind {
        case CFIC_VALUE_SAME, CFIC_VALUE_UNDEFINED:
            guard value.offset == 0, value.register == 0 else {
                throw Problem(text: "unused register or offset is not zero")
            }
        case CFIC_VALUE_AT_CFA, CFIC_VALUE_CFA:
            guard value.register == 0 else { throw Problem(text: "unused register is not zero") }
        case CFIC_VALUE_AT_REGISTER, CFIC_VALUE_REGISTER:
            try check(register: value.register)
            return isLive(value.register)
        default:  // the kind has three bits, so only the two kinds of expression remain
            guard value.register == 0 else { throw Problem(text: "unused register is not zero") }
            return try checkProgram(Int32(value.offset), leaves: 1, isCFA: false)
        }
        return false
    }

    private func check(register: UInt8, operation: Int? = nil) throws(Problem) {
        guard UInt64(register) <= machine.lastRegister else {
            throw Problem(text: "register \(register) is not one of the machine's", operation: operation)
        }
    }

    private func isLive(_ register: UInt8) -> Bool {
        UInt64(register) != machine.stackPointer && UInt64(register) != machine.framePointer
    }

    // MARK: Programs

    /// Proves the program at an index. Returns whether it reads registers other than stack pointer and frame pointer.
    private func checkProgram(_ first: Int32, leaves minimum: Int, isCFA: Bool) throws(Problem) -> Bool {
        guard first >= 0, Int(first) < view.operations.count else {
            throw Problem(text: "expression index is outside the expressions")
        }
        var depth = 0
        var readsLive = false
        for position in 0...Int(CFIC_PROGRAM_MAX) {
            let index = Int(first) + position
            guard index < view.operations.count else {
                throw Problem(text: "program runs into the end of the expressions", operation: index - 1)
            }
            let operation = view.operations[index]
            try checkOperands(operation, index, depth: depth)
            if operation.operation == CFIC_OP_END {
                guard depth >= minimum else {
                    throw Problem(text: "program leaves \(depth) values, needs \(minimum)", operation: index)
                }
                return readsLive
            }
            guard !isCFA || operation.operation != CFIC_OP_CFA else {
                throw Problem(text: "program of the CFA reads the CFA", operation: index)
            }
            if operation.operation == CFIC_OP_REGISTER, isLive(operation.reg) { readsLive = true }
            // Doesn't overflow: `checkOperands` proved that a DUP's operand is small.
            let (pops, pushes) = operation.effect
            guard depth >= pops else {
                throw Problem(text: "operation pops more values than the stack holds", operation: index)
            }
            depth += pushes - pops
            guard depth <= CFIC_STACK_MAX else { throw Problem(text: "stack is deeper than 8", operation: index) }
        }
        throw Problem(text: "program has more than 16 operations", operation: Int(first) + Int(CFIC_PROGRAM_MAX))
    }

    private func checkOperands(_ operation: Operation, _ index: Int, depth: Int) throws(Problem) {
        let isValid: Bool
        switch operation.operation {
        case CFIC_OP_REGISTER:
            try check(register: operation.reg, operation: index)
            isValid = true
        case CFIC_OP_PC, CFIC_OP_CFA, CFIC_OP_CONST: isValid = operation.reg == 0
        case CFIC_OP_LOAD: isValid = [1, 2, 4, 8].contains(operation.reg)
        case CFIC_OP_DUP: isValid = operation.reg == 0 && (0..<CFIC_STACK_MAX).contains(operation.imm)
        case CFIC_OP_END, CFIC_OP_DROP, CFIC_OP_SWAP, CFIC_OP_ROT, CFIC_OP_NEG, CFIC_OP_NOT, CFIC_OP_ABS:
            isValid = operation.reg == 0 && operation.imm == 0
        default:
            guard UInt32(operation.op) < CFIC_OP_COUNT.rawValue else {
                throw Problem(text: "unknown operation \(operation.op)", operation: index)
            }
            isValid =
                operation.reg == UInt8(CFIC_OPERAND_IMMEDIATE)
                || operation.reg == UInt8(CFIC_OPERAND_STACK) && operation.imm == 0
        }
        guard isValid, operation.reserved == 0 else {
            throw Problem(text: "invalid operand", operation: index)
        }
    }
}
