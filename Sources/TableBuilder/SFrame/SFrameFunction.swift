import UnwindTable

/// What one FDE of SFrame describes: a function, or a part of one.
struct SFrameFunction {
    /// In bytes of code.
    var size: UInt64
    /// Adjacent ones differ.
    var rows: [SFrameRow]
    var isSignalFrame = false
}

extension SFrameFunction {
    /// The FDEs for a piece of a frame; nil if SFrame has no words for one of its rules.
    ///
    /// Nearly always one. The stubs of a procedure linkage table repeat in blocks, for which DWARF has an expression and
    /// SFrame an FDE of its own, whose rows hold in each block (PC type MASK).
    static func functions(
        of piece: LoweredFrames.Piece, in lowered: LoweredFrames, machine: TableMachine
    ) -> [SFrameFunction]? {
        var functions: [SFrameFunction] = []
        var isComplete = true
        var isRepeating = false
        lowered.forEachRow(of: piece) { range, rule in
            if let blocks = blockRows(of: rule, lowered.operations, machine: machine) {
                functions.append(SFrameFunction(size: UInt64(range.count), rows: blocks))
                isRepeating = true
                return
            }
            guard let row = SFrameRow(rule, lowered.operations, machine: machine) else { return isComplete = false }
            if functions.isEmpty || isRepeating { functions.append(SFrameFunction(size: 0, rows: [])) }
            isRepeating = false
            functions[functions.count - 1].append(row, UInt64(range.count), isSignalFrame: rule.isSignalFrame)
        }
        return isComplete ? functions : nil
    }

    private mutating func append(_ row: SFrameRow, _ count: UInt64, isSignalFrame isSignal: Bool) {
        size += count
        isSignalFrame = isSignalFrame || isSignal
        if rows.last != row { rows.append(row) }
    }

    /// The two rows of each block, if the rule is that of blocks: CFA = sp + offset, and more from one place in the
    /// block on, `sp + 8 + (((rip & 15) >= 11) << 3)`.
    private static func blockRows(
        of rule: Rule, _ operations: [Operation], machine: TableMachine
    ) -> [SFrameRow]? {
        let start = Int(rule.cfaOffset)
        guard rule.cfaKind == .expression, !rule.isStackPointerOnStack, !rule.isSignalFrame,
            operations.count - start > 6
        else { return nil }
        let program = operations[start...]
        let codes: [Operation.Code] = [.register, .pc, .and, .greaterOrEqual, .shiftLeft, .add, .end]
        guard zip(program, codes).allSatisfy({ $0.code == $1 }) else { return nil }
        let (base, pc) = (program[start], program[start + 1])
        let (mask, place, shift) = (program[start + 2], program[start + 3], program[start + 4])
        guard UInt64(base.register) == machine.stackPointer, pc.immediate == 0,
            mask.hasImmediateOperand, [15, 31, 63, 127].contains(mask.immediate),
            place.hasImmediateOperand, 1...mask.immediate ~= place.immediate,
            shift.hasImmediateOperand, 0...12 ~= shift.immediate, !program[start + 5].hasImmediateOperand
        else { return nil }
        // The same rule with each of the CFAs.
        var rows: [SFrameRow] = []
        for more in [0, Int32(1) << shift.immediate] {
            let (offset, overflow) = base.immediate.addingReportingOverflow(more)
            var simple = rule
            simple.fields.kind = Rule.CFAKind.register.rawValue
            simple.fields.cfa = base.register
            simple.fields.cfa_offset = offset
            guard !overflow, let row = SFrameRow(simple, operations, machine: machine) else { return nil }
            rows.append(row)
        }
        return rows
    }
}
