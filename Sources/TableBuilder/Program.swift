import CUnwindTable
import UnwindTable

/// A postfix program compiled from a DWARF expression (DWARF 5 §2.5). Its length and stack depth are within the limits
/// of `cfic/rule.h`.
struct Program {
    private(set) var operations: [Operation] = []
    /// Number of stack entries after the last operation.
    private var depth = 0
    /// The largest number of stack entries at any time.
    private var deepest = 0

    /// The reason why an expression can't be compiled.
    struct Failure: Error {
        var code: cfic_reason

        static func reason(_ code: cfic_reason) -> Failure { Failure(code: code) }
    }

    /// Appends an operation that pops `pops` entries and pushes `pushes`.
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

    /// Adds a constant to the top of the stack. Folds it into the operation that pushed the top if possible.
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
        // high << 32 + low. `low` is sign-extended, so if it is negative, `high` is one larger.
        let low = Int32(truncatingIfNeeded: signed)
        let high = Int32(truncatingIfNeeded: (signed &- Int64(low)) >> 32)
        try append(Operation(.constant, high), pops: 0, pushes: 1)
        try append(Operation(.shiftLeft, immediateOperand: 32), pops: 1, pushes: 1)
        try append(Operation(.add, immediateOperand: low), pops: 1, pushes: 1)
    }

    /// Appends an operation with two operands. A constant that was just pushed becomes its immediate operand.
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

    /// A program that leaves the result of `other` on top of the stack, and the result of this one directly below.
    func followed(by other: Program) throws(Failure) -> Program {
        // Entries that `other` leaves below its result would be between the two results.
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

    /// This program with the CFA's program in place of each read of the CFA, so that it can run before the CFA is
    /// known.
    func replacingCFA(by cfa: Program) throws(Failure) -> Program {
        // The program starts by pushing the CFA. If it never uses that entry, it doesn't need it.
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

    /// Whether the entry that the first operation pushes is used by another operation or is the result.
    private var dependsOnBottom: Bool {
        var depth = 1
        for operation in operations.dropFirst() {
            let (pops, pushes) = operation.effect
            if depth - pops < 1 { return true }
            depth += pushes - pops
        }
        return depth < 2
    }

    /// The program without its last operation.
    var withoutLast: Program? {
        guard let last = operations.last else { return nil }
        var shorter = self
        shorter.operations.removeLast()
        shorter.depth += last.effect.pops - last.effect.pushes
        return shorter
    }

    /// Appends an operation without checking; the caller checks the bounds.
    mutating func adopt(_ operation: Operation) { operations.append(operation) }

    /// Whether the program reads a register for which `matches` is true.
    func readsRegister(where matches: (UInt8) -> Bool) -> Bool {
        operations.contains { $0.code == .register && matches($0.register) }
    }
}

extension Program: Equatable {
    static func == (left: Program, right: Program) -> Bool {
        left.operations.elementsEqual(right.operations) { $0.words == $1.words }
    }
}
