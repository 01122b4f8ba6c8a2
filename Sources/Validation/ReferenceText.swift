import CLibdw
import Files
import UnwindTable

extension ReferenceFrame {
    /// The row as text, in the notation of tables' rules: `CFA = rsp+16, rbp = *(CFA-16), ra = *(CFA-8)`.
    var text: String {
        let writer = LocationText(machine: machine)
        let framePointer = writer.name(of: machine.framePointer)
        let stackPointer = writer.name(of: machine.stackPointer)
        var parts = ["CFA = \(cfaOperations.map { writer.formula($0) } ?? "unknown")"]
        // libdw returns the CFA itself if the stack pointer has no rule.
        let place = writer.text(of: location(of: machine.stackPointer), ifSame: stackPointer)
        if place != "CFA" { parts.append("\(stackPointer) = \(place)") }
        parts.append("\(framePointer) = \(writer.text(of: location(of: machine.framePointer), ifSame: framePointer))")
        parts.append("ra = \(writer.text(of: location(of: UInt64(clamping: returnAddressColumn)), ifSame: "ra"))")
        return parts.joined(separator: ", ") + (isSignalFrame ? " (signal frame)" : "")
    }
}

/// Writes location descriptions (DWARF 5 §2.5, §2.6) as formulas.
struct LocationText {
    let machine: TableMachine

    func name(of register: UInt64) -> String {
        if register <= machine.lastRegister { return machine.registerName(UInt8(truncatingIfNeeded: register)) }
        return machine == .x86_64 && register == 16 ? "pc" : "r\(register)"
    }

    func text(of location: ReferenceFrame.Location, ifSame same: String) -> String {
        switch location {
        case .undefined: return "undefined"
        case .same: return same
        case .unsaid: return "unknown"
        case .operations(let operations):
            guard let last = operations.last else { return "unknown" }
            let atom = Int(last.atom)
            if operations.count == 1, (DW_OP_reg0...DW_OP_reg31).contains(atom) {
                return name(of: UInt64(atom - DW_OP_reg0))
            }
            if operations.count == 1, atom == DW_OP_regx { return name(of: last.number) }
            if atom == DW_OP_stack_value { return formula(operations.dropLast()) }
            return "*(\(formula(operations)))"
        }
    }

    /// The expression that the operations leave on top of the stack.
    func formula<Operations: Collection<Dwarf_Op>>(_ operations: Operations) -> String {
        var stack: [String] = []
        for operation in operations { apply(operation, to: &stack) }
        return stack.last ?? "unknown"
    }

    private func apply(_ operation: Dwarf_Op, to stack: inout [String]) {
        let atom = Int(operation.atom)
        let signed = Int64(bitPattern: operation.number)
        switch atom {
        case DW_OP_call_frame_cfa: stack.append("CFA")
        case DW_OP_breg0...DW_OP_breg31: stack.append(sum(name(of: UInt64(atom - DW_OP_breg0)), signed))
        case DW_OP_bregx: stack.append(sum(name(of: operation.number), Int64(bitPattern: operation.number2)))
        case DW_OP_lit0...DW_OP_lit31: stack.append("\(atom - DW_OP_lit0)")
        case DW_OP_const1u, DW_OP_const2u, DW_OP_const4u, DW_OP_const8u, DW_OP_constu, DW_OP_addr:
            stack.append("\(operation.number)")
        case DW_OP_const1s, DW_OP_const2s, DW_OP_const4s, DW_OP_const8s, DW_OP_consts: stack.append("\(signed)")
        case DW_OP_plus_uconst: stack.append(sum(stack.popLast() ?? "?", signed))
        case DW_OP_deref: stack.append("*(\(stack.popLast() ?? "?"))")
        case DW_OP_deref_size: stack.append("*u\(8 &* operation.number)(\(stack.popLast() ?? "?"))")
        case DW_OP_dup: stack.append(stack.last ?? "?")
        case DW_OP_over: stack.append(stack.dropLast().last ?? "?")
        case DW_OP_drop: _ = stack.popLast()
        case DW_OP_swap where stack.count > 1: stack.swapAt(stack.count - 1, stack.count - 2)
        case DW_OP_neg, DW_OP_not, DW_OP_abs: stack.append("\(Self.symbols[atom] ?? "?")(\(stack.popLast() ?? "?"))")
        case DW_OP_nop: break
        default:
            let right = stack.popLast() ?? "?"
            let left = stack.popLast() ?? "?"
            stack.append("(\(left) \(Self.symbols[atom] ?? "op \(atom.hex)") \(right))")
        }
        // Repeated doubling would take an unreasonable amount of memory.
        if let top = stack.last, top.utf8.count > 4096 { stack[stack.count - 1] = "..." }
    }

    private func sum(_ base: String, _ offset: Int64) -> String {
        offset == 0 ? base : "\(base)\(offset < 0 ? "" : "+")\(offset)"
    }

    private static let symbols: [Int: String] = [
        DW_OP_neg: "-", DW_OP_not: "~", DW_OP_abs: "abs", DW_OP_plus: "+", DW_OP_minus: "-", DW_OP_mul: "*",
        DW_OP_div: "/", DW_OP_mod: "%", DW_OP_and: "&", DW_OP_or: "|", DW_OP_xor: "^", DW_OP_shl: "<<",
        DW_OP_shr: ">>>", DW_OP_shra: ">>", DW_OP_eq: "==", DW_OP_ne: "!=", DW_OP_lt: "<", DW_OP_le: "<=",
        DW_OP_gt: ">", DW_OP_ge: ">=",
    ]
}
