// The instructions that only change rules, except those that `execute` handles itself.

extension Interpreter {
    /// Applies an instruction that doesn't change the location.
    @inlinable @inline(__always)
    mutating func apply(
        _ opcode: UInt8, _ cursor: inout ByteCursor, _ state: inout FrameState<Columns>
    ) throws(CFIError) {
        if opcode & 0xc0 == Opcode.restore {
            let register = UInt64(opcode & 0x3f)
            state.columns.setRule(initial.columns.rule(for: register), for: register)
            return
        }
        switch opcode {
        case Opcode.nop: break
        case Opcode.rememberState: try remember(state)
        case Opcode.restoreState: try restore(&state)
        case Opcode.defCFA:
            let register = try cursor.readULEB()
            state.setCFA(.register(register, offset: Int64(bitPattern: try cursor.readULEB())))
        case Opcode.defCFARegister:
            let register = try cursor.readULEB()
            // Before any def_cfa the offset is 0, as in all consumers: code for RISC-V, MIPS and others starts with
            // this instruction.
            guard state.cfa.kind != .expression else { throw .cfaNotRegisterOffset }
            state.setCFA(.register(register, offset: state.cfa.kind == .undefined ? 0 : state.cfa.offset))
        case Opcode.defCFASF:
            let register = try cursor.readULEB()
            state.setCFA(.register(register, offset: factored(try cursor.readSLEB())))
        case Opcode.defCFAOffsetSF:
            let offset = factored(try cursor.readSLEB())
            guard state.cfa.kind == .registerOffset else { throw .cfaNotRegisterOffset }
            state.cfa.operand = offset
        case Opcode.defCFAExpression:
            state.setCFA(.expression(try cursor.readBlock(try cursor.readULEB())))
        case Opcode.llvmDefAspaceCFA, Opcode.llvmDefAspaceCFASF:
            let register = try cursor.readULEB()
            let offset =
                opcode == Opcode.llvmDefAspaceCFA
                ? Int64(bitPattern: try cursor.readULEB()) : factored(try cursor.readSLEB())
            guard try cursor.readULEB() == 0 else { throw .unsupportedAddressSpace }
            state.setCFA(.register(register, offset: offset))
        case Opcode.gnuArgsSize:
            _ = try cursor.readULEB()  // only for landing pads of exceptions; doesn't affect rows
        case Opcode.gnuWindowSave where section.machine == Self.aarch64:
            state.columns.negateReturnAddressState(withPC: false)
        case Opcode.gnuWindowSave where section.isSPARC:
            for register in FrameSection.sparcWindow {
                let offset = Int64(register &- FrameSection.sparcWindow.lowerBound) &* Int64(section.addressSize)
                state.columns.setRule(RegisterRule(.offset, signed: offset), for: register)
            }
        case Opcode.aarch64NegateRAStateWithPC where section.machine == Self.aarch64:
            state.columns.negateReturnAddressState(withPC: true)
        case Opcode.aarch64SetRAState where section.machine == Self.aarch64:
            let newState = try cursor.readULEB()
            _ = try cursor.readSLEB()  // offset of the signing instruction, factored
            state.columns.setReturnAddressState(newState)
        default:
            try applyRegisterRule(opcode, &cursor, &state)
        }
    }

    /// ELF `EM_AARCH64`.
    @inlinable static var aarch64: UInt16 { 183 }

    @inlinable @inline(__always)
    mutating func applyRegisterRule(
        _ opcode: UInt8, _ cursor: inout ByteCursor, _ state: inout FrameState<Columns>
    ) throws(CFIError) {
        guard Self.setsRegisterRule(opcode) else { throw .unknownInstruction }
        let register = try cursor.readULEB()
        let rule: RegisterRule
        switch opcode {
        case Opcode.offsetExtended: rule = savedAt(factored: try cursor.readULEB())
        case Opcode.restoreExtended: rule = initial.columns.rule(for: register)
        case Opcode.undefined: rule = .undefined
        case Opcode.sameValue: rule = .sameValue
        case Opcode.register: rule = RegisterRule(.register, unsigned: try cursor.readULEB())
        case Opcode.expression: rule = RegisterRule(.expression, block: try cursor.readBlock(try cursor.readULEB()))
        case Opcode.valExpression:
            rule = RegisterRule(.valueExpression, block: try cursor.readBlock(try cursor.readULEB()))
        case Opcode.offsetExtendedSF: rule = RegisterRule(.offset, signed: factored(try cursor.readSLEB()))
        case Opcode.valOffset:
            let offset = factored(Int64(bitPattern: try cursor.readULEB()))
            rule = RegisterRule(.valueOffset, signed: offset)
        case Opcode.valOffsetSF: rule = RegisterRule(.valueOffset, signed: factored(try cursor.readSLEB()))
        default:  // gnuNegativeOffsetExtended: an offset with reversed sign
            let offset = factored(Int64(bitPattern: try cursor.readULEB()))
            rule = RegisterRule(.offset, signed: 0 &- offset)
        }
        state.columns.setRule(rule, for: register)
    }

    @inlinable
    static func setsRegisterRule(_ opcode: UInt8) -> Bool {
        (Opcode.offsetExtended...Opcode.register).contains(opcode)
            || (Opcode.expression...Opcode.valExpression).contains(opcode)
                && opcode != Opcode.defCFASF && opcode != Opcode.defCFAOffsetSF
            || opcode == Opcode.gnuNegativeOffsetExtended
    }

    /// Multiplies by the data alignment factor. Saturates, so that an offset that overflows never looks valid.
    @inlinable
    func factored(_ value: Int64) -> Int64 {
        let (product, overflow) = value.multipliedReportingOverflow(by: dataAlignment)
        if !overflow { return product }
        return (value < 0) == (dataAlignment < 0) ? .max : .min
    }
}
