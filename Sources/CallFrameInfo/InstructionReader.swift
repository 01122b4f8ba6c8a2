/// One call frame instruction with its operands, before factoring (DWARF 5 §6.4.2).
public struct Instruction: Sendable, BitwiseCopyable {
    /// Offset of its first byte in the section.
    public var offset: Int
    /// The opcode. The three primary opcodes are without the operand in their low six bits.
    public var opcode: UInt8
    /// The register operand, if there is one.
    public var register: UInt64 = 0
    /// The other operand: an advance, an offset or a second register. Signed operands as their bit pattern.
    public var operand: UInt64 = 0
    /// Offset of the DWARF expression in the section, if there is one.
    public var blockStart = 0
    /// Offset of the expression's end (exclusive).
    public var blockEnd = 0

    init(offset: Int, opcode: UInt8) {
        self.offset = offset
        self.opcode = opcode
    }

    public var block: Range<Int> { blockStart..<blockEnd }
    public var signedOperand: Int64 { Int64(bitPattern: operand) }
}

/// Decodes call frame instructions one by one, for listings.
///
/// Consumes the same bytes for each instruction as `Interpreter`, which has its own copy of the operand formats because
/// it never builds an `Instruction`. A test runs both over real files and compares them.
public struct InstructionReader {
    private let section: FrameSection
    private let pointerEncoding: PointerEncoding
    private let addressSize: Int
    private let function: UInt64
    private var cursor: ByteCursor
    /// Offset of the instruction that `next` last read or tried to read.
    public private(set) var instructionOffset: Int

    /// - Parameters:
    ///   - instructions: their range in the section.
    ///   - function: the FDE's start address, to which `DW_CFA_set_loc` may be relative; 0 for a CIE's instructions.
    public init(
        _ section: FrameSection, instructions: Range<Int>, cie: borrowing CommonInformationEntry, function: UInt64 = 0
    ) {
        self.section = section
        self.function = function
        pointerEncoding = cie.pointerEncoding
        addressSize = cie.addressSize
        cursor = section.cursor(instructions)
        instructionOffset = instructions.lowerBound
    }

    /// The next instruction; nil at the end.
    ///
    /// - Throws: if the bytes are no instruction. Nothing can be read after that.
    public mutating func next() throws(CFIError) -> Instruction? {
        guard cursor.position < cursor.end else { return nil }
        instructionOffset = cursor.position
        let byte = try cursor.readU8()
        guard byte & 0xc0 == 0 else {
            var instruction = Instruction(offset: instructionOffset, opcode: byte & 0xc0)
            if instruction.opcode == Opcode.advanceLoc {
                instruction.operand = UInt64(byte & 0x3f)
            } else {
                instruction.register = UInt64(byte & 0x3f)
                if instruction.opcode == Opcode.offset { instruction.operand = try cursor.readULEB() }
            }
            return instruction
        }
        var instruction = Instruction(offset: instructionOffset, opcode: byte)
        try readOperands(of: &instruction)
        return instruction
    }

    private mutating func readOperands(of instruction: inout Instruction) throws(CFIError) {
        switch instruction.opcode {
        case Opcode.nop, Opcode.rememberState, Opcode.restoreState:
            break
        case Opcode.setLoc:
            instruction.operand = try section.readPointer(
                &cursor, encoding: pointerEncoding, addressSize: addressSize, function: function)
        case Opcode.advanceLoc1: instruction.operand = UInt64(try cursor.readU8())
        case Opcode.advanceLoc2: instruction.operand = UInt64(try cursor.read(UInt16.self))
        case Opcode.advanceLoc4: instruction.operand = UInt64(try cursor.read(UInt32.self))
        case Opcode.mipsAdvanceLoc8: instruction.operand = try cursor.read(UInt64.self)
        case Opcode.restoreExtended, Opcode.undefined, Opcode.sameValue, Opcode.defCFARegister:
            instruction.register = try cursor.readULEB()
        case Opcode.offsetExtended, Opcode.register, Opcode.defCFA, Opcode.valOffset,
            Opcode.gnuNegativeOffsetExtended:
            instruction.register = try cursor.readULEB()
            instruction.operand = try cursor.readULEB()
        case Opcode.offsetExtendedSF, Opcode.defCFASF, Opcode.valOffsetSF:
            instruction.register = try cursor.readULEB()
            instruction.operand = UInt64(bitPattern: try cursor.readSLEB())
        case Opcode.defCFAOffset, Opcode.gnuArgsSize:
            instruction.operand = try cursor.readULEB()
        case Opcode.defCFAOffsetSF:
            instruction.operand = UInt64(bitPattern: try cursor.readSLEB())
        case Opcode.defCFAExpression:
            try readBlock(of: &instruction)
        case Opcode.expression, Opcode.valExpression:
            instruction.register = try cursor.readULEB()
            try readBlock(of: &instruction)
        default:
            try readVendorOperands(of: &instruction)
        }
    }

    private mutating func readVendorOperands(of instruction: inout Instruction) throws(CFIError) {
        switch instruction.opcode {
        case Opcode.llvmDefAspaceCFA:
            instruction.register = try cursor.readULEB()
            instruction.operand = try cursor.readULEB()
            guard try cursor.readULEB() == 0 else { throw .unsupportedAddressSpace }
        case Opcode.llvmDefAspaceCFASF:
            instruction.register = try cursor.readULEB()
            instruction.operand = UInt64(bitPattern: try cursor.readSLEB())
            guard try cursor.readULEB() == 0 else { throw .unsupportedAddressSpace }
        case Opcode.gnuWindowSave where section.isAArch64 || section.isSPARC,
            Opcode.aarch64NegateRAStateWithPC where section.isAArch64:
            break
        case Opcode.aarch64SetRAState where section.isAArch64:
            instruction.register = try cursor.readULEB()
            instruction.operand = UInt64(bitPattern: try cursor.readSLEB())
        default:
            throw .unknownInstruction
        }
    }

    private mutating func readBlock(of instruction: inout Instruction) throws(CFIError) {
        let block = try cursor.readBlock(try cursor.readULEB())
        instruction.blockStart = block.lowerBound
        instruction.blockEnd = block.upperBound
    }
}

extension FrameSection {
    /// ELF `EM_AARCH64`.
    var isAArch64: Bool { machine == 183 }

    /// ELF `EM_SPARC`, `EM_SPARC32PLUS` or `EM_SPARCV9`.
    @inlinable var isSPARC: Bool { machine == 2 || machine == 18 || machine == 43 }

    /// The registers %l0 to %l7 and %i0 to %i7: `DW_CFA_GNU_window_save` states that they are saved at the CFA, a word
    /// each, in this order (SPARC ABI supplement, "The Stack Frame").
    @inlinable static var sparcWindow: ClosedRange<UInt64> { 16...31 }
}
