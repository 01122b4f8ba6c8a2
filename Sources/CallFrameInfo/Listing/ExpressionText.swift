extension ListingText {
    /// A DWARF expression as operations, `DW_OP_breg7 (rsp): 8; DW_OP_deref` (DWARF 5 §2.5, §7.7.1).
    mutating func append(
        expression block: Range<Int>, of section: FrameSection, _ names: borrowing RegisterNames, depth: Int = 0
    ) {
        var cursor = section.cursor(block)
        while !cursor.isAtEnd {
            if cursor.position > block.lowerBound { append("; " as StaticString) }
            do throws(CFIError) {
                try appendOperation(&cursor, of: section, names, depth: depth)
            } catch {
                append(byte: UInt8(ascii: "<"))
                append(error.description)
                append(byte: UInt8(ascii: ">"))
                return
            }
            flushIfLarge()
        }
    }

    private mutating func appendOperation(
        _ cursor: inout ByteCursor, of section: FrameSection, _ names: borrowing RegisterNames, depth: Int
    ) throws(CFIError) {
        let code = try cursor.readU8()
        switch code {
        case 0x30...0x4f: appendNumbered("DW_OP_lit", code - 0x30)
        case 0x50...0x6f:
            appendNumbered("DW_OP_reg", code - 0x50)
            appendName(of: UInt64(code - 0x50), names)
        case 0x70...0x8f:
            let offset = try cursor.readSLEB()
            appendNumbered("DW_OP_breg", code - 0x70)
            appendName(of: UInt64(code - 0x70), names)
            append(": " as StaticString)
            append(decimal: offset)
        case 0x90, 0x92:  // regx, bregx
            append(code == 0x90 ? "DW_OP_regx: " as StaticString : "DW_OP_bregx: ")
            let register = try cursor.readULEB()
            append(decimal: register)
            appendName(of: register, names)
            guard code == 0x92 else { return }
            append(byte: UInt8(ascii: " "))
            append(decimal: try cursor.readSLEB())
        case 0xa3, 0xf3:  // entry_value: an expression evaluated with the registers at the function's entry
            append(code == 0xa3 ? "DW_OP_entry_value: (" as StaticString : "DW_OP_GNU_entry_value: (")
            let inner = try cursor.readBlock(try cursor.readULEB())
            // Deeper nesting makes no sense, and a level needs only two bytes of the file, so recursion needs a limit.
            if depth < 8 {
                append(expression: inner, of: section, names, depth: depth + 1)
            } else {
                append("..." as StaticString)
            }
            append(byte: UInt8(ascii: ")"))
        default:
            guard let operation = ExpressionOperation.named[code] else {
                append("DW_OP_??? (0x" as StaticString)
                append(hex: UInt64(code), digits: 2)
                append(byte: UInt8(ascii: ")"))
                if !cursor.isAtEnd {
                    // The size of its operands is unknown, hence also where the next operation starts.
                    append("; <" as StaticString)
                    append(decimal: Int64(cursor.remaining))
                    append(" more bytes>" as StaticString)
                    cursor.position = cursor.end
                }
                return
            }
            append(operation.name)
            try append(operand: operation.operand, &cursor, addressSize: section.addressSize)
        }
    }

    private mutating func append(
        operand: ExpressionOperation.Operand, _ cursor: inout ByteCursor, addressSize: Int
    ) throws(CFIError) {
        if operand != .none { append(": " as StaticString) }
        switch operand {
        case .none: break
        case .address: append(hex: try cursor.readUnsigned(size: addressSize))
        case .unsigned(let size): append(decimal: try cursor.readUnsigned(size: size))
        case .signed(let size):
            let unused = Int64(64 - 8 * size)
            append(decimal: Int64(bitPattern: try cursor.readUnsigned(size: size) << UInt64(unused)) >> unused)
        case .uleb: append(decimal: try cursor.readULEB())
        case .sleb: append(decimal: try cursor.readSLEB())
        case .twoULEB:
            append(decimal: try cursor.readULEB())
            append(byte: UInt8(ascii: " "))
            append(decimal: try cursor.readULEB())
        case .block:
            for byte in try cursor.readBlock(try cursor.readULEB()) {
                append(hex: UInt64(cursor.base.load(fromByteOffset: byte, as: UInt8.self)), digits: 2)
                flushIfLarge()
            }
        }
    }

    private mutating func appendNumbered(_ name: StaticString, _ number: UInt8) {
        append(name)
        append(decimal: UInt64(number))
    }

    private mutating func appendName(of register: UInt64, _ names: borrowing RegisterNames) {
        guard let name = names.name(register) else { return }
        append(" (" as StaticString)
        append(name)
        append(byte: UInt8(ascii: ")"))
    }
}

/// An operation with neither a register in its opcode nor an expression as its operand.
struct ExpressionOperation {
    enum Operand: Equatable {
        case none, address, uleb, sleb, twoULEB, block
        /// The size in bytes.
        case unsigned(Int), signed(Int)
    }

    var name: String
    var operand: Operand

    init(_ name: String, _ operand: Operand = .none) {
        self.name = "DW_OP_" + name
        self.operand = operand
    }

    /// By opcode (DWARF 5 §7.7.1).
    static let named: [UInt8: ExpressionOperation] = [
        0x03: .init("addr", .address), 0x06: .init("deref"),
        0x08: .init("const1u", .unsigned(1)), 0x09: .init("const1s", .signed(1)),
        0x0a: .init("const2u", .unsigned(2)), 0x0b: .init("const2s", .signed(2)),
        0x0c: .init("const4u", .unsigned(4)), 0x0d: .init("const4s", .signed(4)),
        0x0e: .init("const8u", .unsigned(8)), 0x0f: .init("const8s", .signed(8)),
        0x10: .init("constu", .uleb), 0x11: .init("consts", .sleb),
        0x12: .init("dup"), 0x13: .init("drop"), 0x14: .init("over"), 0x15: .init("pick", .unsigned(1)),
        0x16: .init("swap"), 0x17: .init("rot"), 0x18: .init("xderef"), 0x19: .init("abs"), 0x1a: .init("and"),
        0x1b: .init("div"), 0x1c: .init("minus"), 0x1d: .init("mod"), 0x1e: .init("mul"), 0x1f: .init("neg"),
        0x20: .init("not"), 0x21: .init("or"), 0x22: .init("plus"), 0x23: .init("plus_uconst", .uleb),
        0x24: .init("shl"), 0x25: .init("shr"), 0x26: .init("shra"), 0x27: .init("xor"),
        0x28: .init("bra", .signed(2)), 0x29: .init("eq"), 0x2a: .init("ge"), 0x2b: .init("gt"), 0x2c: .init("le"),
        0x2d: .init("lt"), 0x2e: .init("ne"), 0x2f: .init("skip", .signed(2)),
        0x91: .init("fbreg", .sleb), 0x93: .init("piece", .uleb), 0x94: .init("deref_size", .unsigned(1)),
        0x95: .init("xderef_size", .unsigned(1)), 0x96: .init("nop"), 0x97: .init("push_object_address"),
        0x98: .init("call2", .unsigned(2)), 0x99: .init("call4", .unsigned(4)),
        0x9b: .init("form_tls_address"), 0x9c: .init("call_frame_cfa"), 0x9d: .init("bit_piece", .twoULEB),
        0x9e: .init("implicit_value", .block), 0x9f: .init("stack_value"), 0xa1: .init("addrx", .uleb),
        0xa2: .init("constx", .uleb), 0xa8: .init("convert", .uleb), 0xa9: .init("reinterpret", .uleb),
        0xe0: .init("GNU_push_tls_address"), 0xf0: .init("GNU_uninit"),
    ]
}
