/// Prints the instructions of one entry: `DW_CFA_advance_loc: 4 to 0000000000001234`.
///
/// Offsets and advances are multiplied by their alignment factors, as in `readelf --debug-dump=frames`.
struct InstructionPrinter {
    let section: FrameSection
    let codeAlignment: UInt64
    let dataAlignment: Int64
    let addressDigits: Int
    /// The location after the instructions printed so far.
    var location: UInt64

    init(_ section: FrameSection, cie: borrowing CommonInformationEntry, start: UInt64) {
        self.section = section
        codeAlignment = cie.codeAlignment
        dataAlignment = cie.dataAlignment
        addressDigits = cie.addressSize * 2
        location = start
    }

    /// The instruction's name in DWARF or in the vendor's documents.
    func name(of instruction: Instruction) -> StaticString {
        switch instruction.opcode {
        case Opcode.advanceLoc: "DW_CFA_advance_loc"
        case Opcode.offset: "DW_CFA_offset"
        case Opcode.restore: "DW_CFA_restore"
        case Opcode.nop: "DW_CFA_nop"
        case Opcode.setLoc: "DW_CFA_set_loc"
        case Opcode.advanceLoc1: "DW_CFA_advance_loc1"
        case Opcode.advanceLoc2: "DW_CFA_advance_loc2"
        case Opcode.advanceLoc4: "DW_CFA_advance_loc4"
        case Opcode.offsetExtended: "DW_CFA_offset_extended"
        case Opcode.restoreExtended: "DW_CFA_restore_extended"
        case Opcode.undefined: "DW_CFA_undefined"
        case Opcode.sameValue: "DW_CFA_same_value"
        case Opcode.register: "DW_CFA_register"
        case Opcode.rememberState: "DW_CFA_remember_state"
        case Opcode.restoreState: "DW_CFA_restore_state"
        case Opcode.defCFA: "DW_CFA_def_cfa"
        case Opcode.defCFARegister: "DW_CFA_def_cfa_register"
        case Opcode.defCFAOffset: "DW_CFA_def_cfa_offset"
        case Opcode.defCFAExpression: "DW_CFA_def_cfa_expression"
        case Opcode.expression: "DW_CFA_expression"
        case Opcode.offsetExtendedSF: "DW_CFA_offset_extended_sf"
        case Opcode.defCFASF: "DW_CFA_def_cfa_sf"
        case Opcode.defCFAOffsetSF: "DW_CFA_def_cfa_offset_sf"
        case Opcode.valOffset: "DW_CFA_val_offset"
        case Opcode.valOffsetSF: "DW_CFA_val_offset_sf"
        case Opcode.valExpression: "DW_CFA_val_expression"
        case Opcode.mipsAdvanceLoc8: "DW_CFA_MIPS_advance_loc8"
        case Opcode.aarch64SetRAState: "DW_CFA_AARCH64_set_ra_state"
        case Opcode.aarch64NegateRAStateWithPC: "DW_CFA_AARCH64_negate_ra_state_with_pc"
        case Opcode.gnuWindowSave where section.isAArch64: "DW_CFA_AARCH64_negate_ra_state"
        case Opcode.gnuWindowSave: "DW_CFA_GNU_window_save"
        case Opcode.gnuArgsSize: "DW_CFA_GNU_args_size"
        case Opcode.gnuNegativeOffsetExtended: "DW_CFA_GNU_negative_offset_extended"
        case Opcode.llvmDefAspaceCFA: "DW_CFA_LLVM_def_aspace_cfa"
        case Opcode.llvmDefAspaceCFASF: "DW_CFA_LLVM_def_aspace_cfa_sf"
        default: "DW_CFA_???"
        }
    }

    /// The text between name and operands.
    func separator(of instruction: Instruction) -> StaticString {
        switch instruction.opcode {
        case Opcode.nop, Opcode.rememberState, Opcode.restoreState, Opcode.gnuWindowSave,
            Opcode.aarch64NegateRAStateWithPC:
            ""
        case Opcode.defCFAExpression: " "
        default: ": "
        }
    }

    /// Appends the operands, and moves `location` if the instruction advances.
    mutating func appendOperands(
        of instruction: Instruction, to text: inout ListingText, _ names: borrowing RegisterNames
    ) {
        switch instruction.opcode {
        case Opcode.advanceLoc, Opcode.advanceLoc1, Opcode.advanceLoc2, Opcode.advanceLoc4, Opcode.mipsAdvanceLoc8:
            appendAdvance(instruction.operand, to: &text)
        case Opcode.setLoc:
            location = instruction.operand
            text.append(hex: location, digits: addressDigits)
        case Opcode.offset, Opcode.offsetExtended, Opcode.offsetExtendedSF, Opcode.gnuNegativeOffsetExtended:
            text.append(register: instruction.register, names)
            text.append(" at cfa" as StaticString)
            let isNegated = instruction.opcode == Opcode.gnuNegativeOffsetExtended
            appendFactored(instruction, sign: isNegated ? -1 : 1, to: &text)
        case Opcode.valOffset, Opcode.valOffsetSF:
            text.append(register: instruction.register, names)
            text.append(" is cfa" as StaticString)
            appendFactored(instruction, sign: 1, to: &text)
        case Opcode.restore, Opcode.restoreExtended, Opcode.undefined, Opcode.sameValue, Opcode.defCFARegister:
            text.append(register: instruction.register, names)
        case Opcode.register:
            text.append(register: instruction.register, names)
            text.append(" in " as StaticString)
            text.append(register: instruction.operand, names)
        case Opcode.defCFA, Opcode.llvmDefAspaceCFA:
            text.append(register: instruction.register, names)
            text.append(" ofs " as StaticString)
            text.append(decimal: instruction.signedOperand)
        case Opcode.defCFASF, Opcode.llvmDefAspaceCFASF:
            text.append(register: instruction.register, names)
            text.append(" ofs " as StaticString)
            append(product: factored(instruction.signedOperand), to: &text)
        case Opcode.defCFAOffsetSF:
            append(product: factored(instruction.signedOperand), to: &text)
        case Opcode.defCFAOffset:
            text.append(decimal: instruction.signedOperand)
        case Opcode.gnuArgsSize:
            text.append(decimal: instruction.operand)
        case Opcode.aarch64SetRAState:
            text.append(decimal: instruction.register)
            text.append(", " as StaticString)
            text.append(decimal: instruction.signedOperand)
        case Opcode.defCFAExpression:
            appendExpression(instruction, to: &text, names)
        case Opcode.expression, Opcode.valExpression:
            text.append(register: instruction.register, names)
            text.append(byte: UInt8(ascii: " "))
            appendExpression(instruction, to: &text, names)
        default: break
        }
    }

    private mutating func appendAdvance(_ delta: UInt64, to text: inout ListingText) {
        let (bytes, tooFar) = delta.multipliedReportingOverflow(by: codeAlignment)
        let (sum, wrapped) = location.addingReportingOverflow(bytes)
        location = tooFar || wrapped ? .max : sum
        if tooFar {
            text.append(decimal: delta)
            text.append(" * " as StaticString)
            text.append(decimal: codeAlignment)
        } else {
            text.append(decimal: bytes)
        }
        text.append(" to " as StaticString)
        text.append(hex: location, digits: addressDigits)
    }

    /// `-16`: the offset operand times the data alignment factor.
    private func appendFactored(_ instruction: Instruction, sign: Int64, to text: inout ListingText) {
        guard let product = factored(instruction.signedOperand), product != .min else {
            return append(product: nil, to: &text)
        }
        text.append(signed: product * sign)
    }

    /// Nil if the product doesn't fit 64 bits.
    private func factored(_ value: Int64) -> Int64? {
        let (product, overflow) = value.multipliedReportingOverflow(by: dataAlignment)
        return overflow ? nil : product
    }

    private func append(product: Int64?, to text: inout ListingText) {
        if let product { text.append(decimal: product) } else { text.append("<more than 64 bits>" as StaticString) }
    }

    private func appendExpression(
        _ instruction: Instruction, to text: inout ListingText, _ names: borrowing RegisterNames
    ) {
        text.append(byte: UInt8(ascii: "("))
        text.append(expression: instruction.block, of: section, names)
        text.append(byte: UInt8(ascii: ")"))
    }
}
