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
        let (short, long) = (view.rules.short, view.rules.long)
        guard (1...Int(CFIC_RULES_MAX)).contains(short.count) else {
            throw defect(CFIC_SECTION_RULES, 0, "there are no rules, or more than 65,536")
        }
        guard long.count <= short.count else {
            throw defect(CFIC_SECTION_LONG_RULES, short.count, "there are more long rules than rules")
        }
        for number in short.indices {
            if let problem = problem(of: short[number], isFirst: number == 0) {
                throw defect(CFIC_SECTION_RULES, number, "rule \(number): \(problem)")
            }
        }
        for index in long.indices {
            let rule = Rule(long[index])
            do throws(Problem) {
                try check(rule)
                guard rule.short(machine: machine) == nil else { throw Problem(text: "has a short form") }
            } catch {
                let problem = "long rule \(index): \(error.text)"
                if let operation = error.operation { throw defect(CFIC_SECTION_EXPRESSIONS, operation, problem) }
                throw defect(CFIC_SECTION_LONG_RULES, index, problem)
            }
        }
    }

    private func defect(_ section: cfic_section_index, _ element: Int, _ problem: String) -> TableDefect {
        TableDefect(
            section: TableHeader.sectionNames[Int(section.rawValue)], offset: view.offset(of: section, element),
            problem: problem)
    }

    private func problem(of rule: cfic_short_rule, isFirst: Bool) -> String? {
        if isFirst { return rule == cfic_short_rule() ? nil : "not \"no information\"" }
        guard rule.isLong else { return rule.isValid(machine: machine) ? nil : "not a rule of the machine" }
        guard Int32(rule.cfa) == CFIC_SHORT_LONG else { return "more than an index of a long rule" }
        return rule.longIndex < view.rules.long.count ? nil : "index is outside the long rules"
    }

    private func check(_ rule: Rule) throws(Problem) {
        switch rule.statedCFAKind {
        case .unknown:
            guard let reason = rule.reason, rule == .unknown(reason), reason.isKnown else {
                throw Problem(text: "unknown reason, or a reason combined with a rule")
            }
            return
        case .endOfStack:
            guard rule == .endOfStack else { throw Problem(text: "end of stack combined with a rule") }
            return
        case .register:
            guard rule.cfaAddend == 0 else { throw Problem(text: "addend without a load") }
            try check(register: rule.cfaRegister)
        case .dereferenced: try check(register: rule.cfaRegister)
        case .expression:
            guard rule.fields.cfa == 0 else { throw Problem(text: "register or addend beside an expression") }
        case nil: throw Problem(text: "unknown kind of CFA")
        }
        let readsLive = try checkParts(rule)
        guard !readsLive || rule.needsLiveRegisters else {
            throw Problem(text: "reads an untracked register without the flag that says so")
        }
    }

    /// Proves flags, frame pointer, return address and programs of a rule that has a CFA. Returns whether it reads
    /// registers other than stack pointer and frame pointer.
    private func checkParts(_ rule: Rule) throws(Problem) -> Bool {
        guard !rule.isReturnAddressSigned || machine == .aarch64 else {
            throw Problem(text: "signed return address on a machine without pointer authentication")
        }
        guard !rule.isStackPointerOnStack || rule.cfaKind == .expression else {
            throw Problem(text: "stack pointer on the stack without a program")
        }
        switch rule.returnAddress.kind {
        case .same, .undefined: throw Problem(text: "return address has no location")
        default: break
        }
        var readsLive = false
        if rule.cfaKind == .expression {
            let depth = rule.isStackPointerOnStack ? 2 : 1
            readsLive = try checkProgram(rule.cfaOffset, leaves: depth, isCFA: true)
        } else {
            readsLive = isLive(rule.cfaRegister)
        }
        for value in [rule.framePointer, rule.returnAddress] where try check(value) { readsLive = true }
        return readsLive
    }

    private func check(_ value: Rule.Value) throws(Problem) -> Bool {
        switch value.kind {
        case .same, .undefined:
            guard value.offset == 0, value.register == 0 else {
                throw Problem(text: "unused register or offset is not zero")
            }
        case .atCFA, .cfa:
            guard value.register == 0 else { throw Problem(text: "unused register is not zero") }
        case .atRegister, .register:
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
            if operation.code == .end {
                guard depth >= minimum else {
                    throw Problem(text: "program leaves \(depth) values, needs \(minimum)", operation: index)
                }
                return readsLive
            }
            guard !isCFA || operation.code != .cfa else {
                throw Problem(text: "program of the CFA reads the CFA", operation: index)
            }
            if operation.code == .register, isLive(operation.register) { readsLive = true }
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
        guard let code = operation.statedCode else {
            throw Problem(text: "unknown operation \(operation.fields.op)", operation: index)
        }
        let isValid: Bool
        switch code {
        case .register:
            try check(register: operation.register, operation: index)
            isValid = true
        case .pc, .cfa, .constant: isValid = operation.register == 0
        case .load: isValid = [1, 2, 4, 8].contains(operation.register)
        case .duplicate: isValid = operation.register == 0 && (0..<CFIC_STACK_MAX).contains(operation.immediate)
        case .end, .drop, .swap, .rotate, .negate, .not, .absolute:
            isValid = operation.register == 0 && operation.immediate == 0
        default:
            isValid =
                operation.hasImmediateOperand
                || operation.register == UInt8(CFIC_OPERAND_STACK) && operation.immediate == 0
        }
        guard isValid, operation.fields.reserved == 0 else {
            throw Problem(text: "invalid operand", operation: index)
        }
    }
}
