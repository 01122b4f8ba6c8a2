import UnwindTable

/// An ELF file with one function, whose FDE contains the expressions.
///
///     ELF header, a program header, .eh_frame, .shstrtab, four section headers; then .text
struct ExpressionImage {
    /// The rule that the expression is for.
    enum Place: UInt8 {
        case cfa, framePointer, framePointerValue, returnAddress, returnAddressValue, stackPointer, stackPointerValue
    }

    static let code: Range<UInt64> = 0x40_1000..<0x40_1040
    private static let headerSize = 64
    private static let framesOffset = headerSize + 56
    let bytes: [UInt8]
    /// Whether an expression contains DW_OP_div or DW_OP_mod, or an operand with the same value.
    let mayDivide: Bool

    init(_ machine: TableMachine, _ expressions: [(place: Place, bytes: [UInt8])], isSignalFrame: Bool) {
        mayDivide = expressions.contains { $0.bytes.contains(0x1b) || $0.bytes.contains(0x1d) }
        let frames = Self.frames(machine, expressions, isSignalFrame)
        let names = Array("\0.text\0.eh_frame\0.shstrtab\0".utf8)
        let namesOffset = Self.framesOffset + frames.count
        let headersOffset = (namesOffset + names.count + 7) & ~7
        let textOffset = headersOffset + 4 * 64

        var bytes: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + Array(repeating: 0, count: 9)
        bytes += little(UInt16(3)) + little(machine.rawValue) + little(UInt32(1))
        bytes += little(UInt64(0)) + little(UInt64(Self.headerSize)) + little(UInt64(headersOffset)) + little(UInt32(0))
        for number in [64, 56, 1, 64, 4, 3] as [UInt16] { bytes += little(number) }
        // PT_LOAD, PF_R | PF_X
        bytes += little(UInt32(1)) + little(UInt32(5)) + little(UInt64(textOffset))
        let start = Self.code.lowerBound
        let size = UInt64(Self.code.count)
        for field in [start, start, size, size, 8] { bytes += little(field) }
        bytes += frames + names + Array(repeating: 0, count: headersOffset - namesOffset - names.count)

        func header(name: UInt32, type: UInt32, flags: UInt64, address: UInt64, offset: Int, size: Int) {
            bytes += little(name) + little(type) + little(flags) + little(address)
            for field in [UInt64(offset), UInt64(size), 0, 1, 0] { bytes += little(field) }
        }
        bytes += Array(repeating: 0, count: 64)
        header(name: 1, type: 1, flags: 6, address: start, offset: textOffset, size: Self.code.count)
        header(name: 7, type: 1, flags: 2, address: 0x60_0000, offset: Self.framesOffset, size: frames.count)
        header(name: 17, type: 3, flags: 0, address: 0, offset: namesOffset, size: names.count)
        bytes += Array(repeating: 0, count: Self.code.count)
        self.bytes = bytes
    }

    /// A CIE and an FDE with absolute addresses.
    private static func frames(
        _ machine: TableMachine, _ expressions: [(place: Place, bytes: [UInt8])], _ isSignalFrame: Bool
    ) -> [UInt8] {
        let framePointer: UInt8 = machine == .x86_64 ? 6 : 29
        let returnAddress: UInt8 = machine == .x86_64 ? 16 : 30
        let stackPointer: UInt8 = machine == .x86_64 ? 7 : 31
        // Version 1, augmentation, code alignment 1, data alignment −8, return address column.
        var cie = little(UInt32(0)) + [1] + (isSignalFrame ? [0x53] : []) + [0, 1, 0x78, returnAddress]
        // DW_CFA_def_cfa SP+16; DW_CFA_offset of return address and frame pointer: CFA−8 and CFA−16.
        cie += [0x0c, stackPointer, 16, 0x80 | returnAddress, 1, 0x80 | framePointer, 2]
        cie += Array(repeating: 0, count: -(cie.count + 4) & 7)
        var fde = little(UInt32(4 + cie.count + 4)) + little(code.lowerBound) + little(UInt64(code.count))
        for (place, expression) in expressions {
            switch place {
            case .cfa: fde += [0x0f]
            case .framePointer: fde += [0x10, framePointer]
            case .framePointerValue: fde += [0x16, framePointer]
            case .returnAddress: fde += [0x10, returnAddress]
            case .returnAddressValue: fde += [0x16, returnAddress]
            case .stackPointer: fde += [0x10, stackPointer]
            case .stackPointerValue: fde += [0x16, stackPointer]
            }
            // The length, below 2^14, as LEB128 of two bytes.
            fde += [UInt8(expression.count & 0x7f) | 0x80, UInt8(expression.count >> 7)] + expression
        }
        fde += Array(repeating: 0, count: -(fde.count + 4) & 7)
        return little(UInt32(cie.count)) + cie + little(UInt32(fde.count)) + fde
    }
}

private func little<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
}
