/// Writes synthetic call frame information for code that has none: a CIE, and FDEs with their rows, as in .debug_frame
/// (DWARF 5 §6.4.1).
public struct StatedFrameWriter {
    /// Where the CFA is. Registers have DWARF's numbers; offsets are in bytes.
    public enum CFA: Equatable, Sendable {
        /// register + offset
        case register(UInt8, offset: Int64)
        /// The word at register + displacement, plus an addend.
        case stored(UInt8, displacement: Int64, addend: Int64)
    }

    /// Where the caller's value of a register is.
    public enum Place: Equatable, Sendable {
        /// It isn't known.
        case undefined
        /// Still in the register.
        case unchanged
        /// The word at CFA + offset.
        case atCFA(Int64)
        /// The word at register + displacement.
        case atRegister(UInt8, Int64)
    }

    /// What holds from an address on, up to the next row or the end of the FDE.
    public struct Row: Equatable, Sendable {
        /// SVMA.
        public var address: UInt64
        public var cfa: CFA
        public var framePointer: Place
        public var returnAddress: Place

        public init(address: UInt64, cfa: CFA, framePointer: Place, returnAddress: Place = .atCFA(-8)) {
            (self.address, self.cfa) = (address, cfa)
            (self.framePointer, self.returnAddress) = (framePointer, returnAddress)
        }
    }

    /// The CIE and the FDEs so far.
    public private(set) var bytes: [UInt8] = []
    /// The number of FDEs so far.
    public private(set) var count = 0
    private let machine: UInt16

    private var isAArch64: Bool { machine == 183 }
    private var framePointer: UInt8 { isAArch64 ? 29 : 6 }
    private var returnAddress: UInt8 { isAArch64 ? 30 : 16 }
    /// Bytes of a code alignment factor.
    private var unit: UInt64 { isAArch64 ? 4 : 1 }

    /// - Parameter machine: ELF `e_machine` of x86-64 or aarch64.
    public init(machine: UInt16) {
        self.machine = machine
        // Version 1, no augmentation, alignment factors 1 or 4 and -8, return address in rip or x30.
        append(entry: [0xff, 0xff, 0xff, 0xff, 1, 0, UInt8(unit), 0x78, returnAddress])
    }

    /// The section, which owns its bytes.
    public func section() -> StatedFrameSection { StatedFrameSection(bytes, machine: machine) }

    /// Appends an FDE.
    ///
    /// - Precondition: `rows` ascend, the first one is at the first of the `addresses` (SVMAs), and all are in them.
    ///   On aarch64, addresses are multiples of 4.
    public mutating func append(_ addresses: Range<UInt64>, _ rows: [Row]) {
        var instructions: [UInt8] = []
        var location = addresses.lowerBound
        var last: Row?
        for row in rows {
            advance((row.address - location) / unit, &instructions)
            location = row.address
            if last?.cfa != row.cfa { define(row.cfa, &instructions) }
            if last?.framePointer != row.framePointer { place(framePointer, row.framePointer, &instructions) }
            if last?.returnAddress != row.returnAddress { place(returnAddress, row.returnAddress, &instructions) }
            last = row
        }
        append(
            entry: littleEndian(UInt32(0)) + littleEndian(addresses.lowerBound)
                + littleEndian(addresses.upperBound - addresses.lowerBound) + instructions)
        count += 1
    }

    private func advance(_ units: UInt64, _ instructions: inout [UInt8]) {
        switch units {
        case 0: break
        case ..<0x40: instructions.append(Opcode.advanceLoc | UInt8(units))
        case ..<0x100: instructions += [Opcode.advanceLoc1, UInt8(units)]
        case ..<0x1_0000: instructions += [Opcode.advanceLoc2] + littleEndian(UInt16(units))
        case ..<0x1_0000_0000: instructions += [Opcode.advanceLoc4] + littleEndian(UInt32(units))
        default:
            instructions += [Opcode.advanceLoc4] + littleEndian(UInt32.max)
            advance(units - UInt64(UInt32.max), &instructions)
        }
    }

    private func define(_ cfa: CFA, _ instructions: inout [UInt8]) {
        switch cfa {
        case .register(let register, let offset) where offset >= 0:
            instructions += [Opcode.defCFA, register] + unsignedLEB128(UInt64(offset))
        case .register(let register, let offset):
            appendExpression([Opcode.defCFAExpression], baseRegister(register, offset), &instructions)
        case .stored(let register, let displacement, let addend):
            appendExpression(
                [Opcode.defCFAExpression],
                baseRegister(register, displacement) + [ExpressionOpcode.dereference] + plus(addend), &instructions)
        }
    }

    private func place(_ column: UInt8, _ place: Place, _ instructions: inout [UInt8]) {
        switch place {
        case .undefined: instructions += [Opcode.undefined, column]
        case .unchanged: instructions += [Opcode.sameValue, column]
        case .atCFA(let offset) where offset <= 0 && offset % 8 == 0:
            instructions += [Opcode.offset | column] + unsignedLEB128((0 &- offset).magnitude / 8)
        case .atCFA(let offset):
            // The CFA is on the expression's stack.
            appendExpression([Opcode.expression, column], plus(offset), &instructions)
        case .atRegister(let register, let displacement):
            appendExpression([Opcode.expression, column], baseRegister(register, displacement), &instructions)
        }
    }

    private func baseRegister(_ register: UInt8, _ offset: Int64) -> [UInt8] {
        [ExpressionOpcode.baseRegister + (register & 31)] + signedLEB128(offset)
    }

    private func plus(_ addend: Int64) -> [UInt8] {
        addend == 0 ? [] : [ExpressionOpcode.signedConstant] + signedLEB128(addend) + [ExpressionOpcode.plus]
    }

    private func appendExpression(_ opcode: [UInt8], _ expression: [UInt8], _ instructions: inout [UInt8]) {
        instructions += opcode + unsignedLEB128(UInt64(expression.count)) + expression
    }

    private mutating func append(entry content: [UInt8]) { bytes += StatedFrameSection.entry(content) }
}

/// A section of synthetic call frame information.
public final class StatedFrameSection {
    /// Valid as long as this object exists.
    public let section: FrameSection
    private let memory: UnsafeMutableRawBufferPointer

    /// - Parameters:
    ///   - bytes: as in .debug_frame.
    ///   - machine: ELF `e_machine`.
    init(_ bytes: [UInt8], machine: UInt16) {
        memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
        memory.copyBytes(from: bytes)
        section = FrameSection(kind: .debugFrame, bytes: UnsafeRawBufferPointer(memory), address: 0, machine: machine)
    }

    deinit { memory.deallocate() }

    /// An entry: its length, its content, and DW_CFA_nop up to a multiple of 8.
    static func entry(_ content: [UInt8]) -> [UInt8] {
        let padding = [UInt8](repeating: 0, count: -(content.count + 4) & 7)
        return littleEndian(UInt32(content.count + padding.count)) + content + padding
    }
}

/// DWARF 5 §7.7.1.
private enum ExpressionOpcode {
    static let dereference: UInt8 = 0x06
    static let signedConstant: UInt8 = 0x11
    static let plus: UInt8 = 0x22
    static let baseRegister: UInt8 = 0x70
}

func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

private func unsignedLEB128(_ value: UInt64) -> [UInt8] {
    var (rest, bytes) = (value, [UInt8]())
    while rest >= 0x80 {
        bytes.append(UInt8(rest & 0x7f) | 0x80)
        rest >>= 7
    }
    return bytes + [UInt8(rest)]
}

private func signedLEB128(_ value: Int64) -> [UInt8] {
    var (rest, bytes) = (value, [UInt8]())
    while !(-0x40..<0x40).contains(rest) {
        bytes.append(UInt8(truncatingIfNeeded: rest & 0x7f) | 0x80)
        rest >>= 7
    }
    return bytes + [UInt8(truncatingIfNeeded: rest & 0x7f)]
}
