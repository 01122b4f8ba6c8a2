import CUnwindTable
import UnwindTable

/// A bounded postfix program made from a DWARF expression (DWARF 5 §2.5), with its length and stack depth
/// within the limits of `cfic/rule.h`.
struct Program {
    private(set) var operations: [Operation] = []
    /// Entries on the stack at the end, and the most there ever are.
    private var depth = 0
    private var deepest = 0

    /// The reason why no program can be made.
    struct Failure: Error {
        var code: cfic_reason

        static func reason(_ code: cfic_reason) -> Failure { Failure(code: code) }
    }

    /// Appends an operation that takes `pops` entries and leaves `pushes`.
    mutating func append(_ operation: Operation, pops: Int, pushes: Int) throws(Failure) {
        guard depth >= pops else { throw .reason(CFIC_REASON_EXPRESSION_MALFORMED) }
        depth += pushes - pops
        deepest = max(deepest, depth)
        guard depth <= CFIC_STACK_MAX, operations.count < CFIC_PROGRAM_MAX else {
            throw .reason(CFIC_REASON_EXPRESSION_TOO_LONG)
        }
        operations.append(operation)
    }

    var hasResult: Bool { depth >= 1 }

    /// Adds a constant to the top of the stack, folded into what pushed it where possible.
    mutating func add(_ value: Int64) throws(Failure) {
        if let last = operations.last {
            switch last.code {
            case .register, .pc, .cfa, .constant:
                let (sum, overflow) = Int64(last.immediate).addingReportingOverflow(value)
                if !overflow, let immediate = Int32(exactly: sum) {
                    operations[operations.count - 1].immediate = immediate
                    return
                }
            default: break
            }
        }
        if value == 0, depth > 0 { return }
        if let immediate = Int32(exactly: value) {
            try append(Operation(.add, immediateOperand: immediate), pops: 1, pushes: 1)
        } else {
            try push(UInt64(bitPattern: value))
            try append(Operation(.add), pops: 2, pushes: 1)
        }
    }

    mutating func push(_ value: UInt64) throws(Failure) {
        let signed = Int64(bitPattern: value)
        if let immediate = Int32(exactly: signed) {
            return try append(Operation(.constant, immediate), pops: 0, pushes: 1)
        }
        // High half, shifted up, plus the low half, which borrows one from the high half when negative.
        let low = Int32(truncatingIfNeeded: signed)
        let high = Int32(truncatingIfNeeded: (signed &- Int64(low)) >> 32)
        try append(Operation(.constant, high), pops: 0, pushes: 1)
        try append(Operation(.shiftLeft, immediateOperand: 32), pops: 1, pushes: 1)
        try append(Operation(.add, immediateOperand: low), pops: 1, pushes: 1)
    }

    /// An operation with two operands; a constant just pushed becomes its immediate.
    mutating func binary(_ operation: Operation.Code) throws(Failure) {
        if depth >= 2, let last = operations.last, last.code == .constant {
            operations.removeLast()
            depth -= 1
            if operation == .add { return try add(Int64(last.immediate)) }
            let immediate = Operation(operation, immediateOperand: last.immediate)
            return try append(immediate, pops: 1, pushes: 1)
        }
        try append(Operation(operation), pops: 2, pushes: 1)
    }

    mutating func appendWordLoad() throws(Failure) {
        try append(Operation(.load, register: 8), pops: 1, pushes: 1)
    }

    /// This program's result right below that of `other`.
    func followed(by other: Program) throws(Failure) -> Program {
        // What `other` leaves below its result would come between the two.
        guard other.depth == 1 else { throw .reason(CFIC_REASON_STACK_POINTER) }
        var both = self
        guard both.operations.count + other.operations.count <= CFIC_PROGRAM_MAX,
            both.deepest + other.deepest <= CFIC_STACK_MAX
        else { throw .reason(CFIC_REASON_EXPRESSION_TOO_LONG) }
        both.operations += other.operations
        both.depth += other.depth
        both.deepest += other.deepest
        return both
    }

    /// The program that computes the CFA itself where this one, which runs before the CFA is known, reads it.
    func replacingCFA(by cfa: Program) throws(Failure) -> Program {
        // Evaluation started by pushing the CFA. What never looks at it does without it.
        if let first = operations.first, first.code == .cfa, !dependsOnBottom {
            var rest = Program()
            rest.operations = Array(operations.dropFirst())
            rest.depth = depth - 1
            rest.deepest = deepest - 1
            return rest
        }
        var result = Program()
        for operation in operations {
            guard operation.code == .cfa else {
                result.adopt(operation)
                continue
            }
            result.operations += cfa.operations
            if operation.immediate != 0 {
                result.operations.append(Operation(.add, immediateOperand: operation.immediate))
            }
        }
        result.depth = depth
        result.deepest = deepest - 1 + cfa.deepest
        guard result.operations.count <= CFIC_PROGRAM_MAX, result.deepest <= CFIC_STACK_MAX else {
            throw .reason(CFIC_REASON_EXPRESSION_TOO_LONG)
        }
        return result
    }

    /// Whether an operation behind the first reaches down to the entry that the first one pushed.
    private var dependsOnBottom: Bool {
        var depth = 1
        for operation in operations.dropFirst() {
            let (pops, pushes) = operation.effect
            if depth - pops < 1 { return true }
            depth += pushes - pops
        }
        return depth < 2
    }

    /// The program less its last operation.
    var withoutLast: Program? {
        guard let last = operations.last else { return nil }
        var shorter = self
        shorter.operations.removeLast()
        shorter.depth += last.effect.pops - last.effect.pushes
        return shorter
    }

    /// Takes over an operation of a program that was proved to be within bounds.
    mutating func adopt(_ operation: Operation) { operations.append(operation) }

    /// Whether it reads a register for which `matches` holds.
    func readsRegister(where matches: (UInt8) -> Bool) -> Bool {
        operations.contains { $0.code == .register && matches($0.register) }
    }
}

extension Program: Equatable {
    static func == (left: Program, right: Program) -> Bool {
        left.operations.elementsEqual(right.operations) { $0.words == $1.words }
    }
}
