import CUnwindTable
import UnwindTable

/// The distinct programs of a table in one array, each terminated by `CFIC_OP_END`.
struct ProgramList {
    private(set) var operations: [Operation] = []
    private var known: [[SIMD2<UInt32>]: Int32] = [:]

    /// The index of the program's first operation; adds the program if it is new.
    mutating func index(of program: Program) throws(Program.Failure) -> Int32 {
        let key = program.operations.map(\.words)
        if let index = known[key] { return index }
        guard !isFull else { throw .reason(CFIC_REASON_TOO_MANY_RULES) }
        let index = Int32(operations.count)
        operations += program.operations
        operations.append(Operation(.end))
        known[key] = index
        return index
    }

    /// Adds a program of another list, if it is new, and returns its index in this list.
    ///
    /// - Precondition: the programs of both lists together fit, so that the index fits 16 bits.
    mutating func adopt(_ index: Int32, from other: ProgramList) -> Int32 {
        let start = Int(index)
        var end = start
        while other.operations[end].code != .end { end += 1 }
        let key = other.operations[start..<end].map(\.words)
        if let index = known[key] { return index }
        let index = Int32(truncatingIfNeeded: operations.count)
        operations += other.operations[start...end]
        known[key] = index
        return index
    }

    /// Whether the next program, with its END, might not fit.
    var isFull: Bool { operations.count > Int(CFIC_EXPRESSIONS_MAX) - Int(CFIC_PROGRAM_MAX) - 1 }

    mutating func removeAll() {
        operations.removeAll(keepingCapacity: true)
        known.removeAll(keepingCapacity: true)
    }
}

extension Rule {
    /// The rule with the indices of its programs mapped.
    func renumberingExpressions(_ map: (Int32) -> Int32) -> Rule {
        var rule = self
        if cfaKind == .expression { rule.fields.cfa_offset = map(fields.cfa_offset) }
        // Indices stay below `CFIC_EXPRESSIONS_MAX`.
        func narrow(_ index: Int16) -> Int16 { Int16(truncatingIfNeeded: map(Int32(index))) }
        if framePointer.isExpression { rule.fields.fp_offset = narrow(fields.fp_offset) }
        if returnAddress.isExpression { rule.fields.ra_offset = narrow(fields.ra_offset) }
        return rule
    }
}
