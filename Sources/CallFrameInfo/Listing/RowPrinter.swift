/// Prints rows as a table: a line of column headings, then a line for each row.
struct RowPrinter: RowSink, ~Copyable {
    typealias Columns = AllRegisters

    var text: ListingText
    let names: RegisterNames
    /// Rows printed so far.
    private(set) var count = 0
    /// Whether the current entry has more registers than `AllRegisters` can track.
    private(set) var isIncomplete = false

    /// The registers that the current entry's rows show, in ascending order.
    private var columns: [UInt64] = []
    private var addressDigits = 16
    /// Print only the row for this SVMA; nil prints all.
    private let pc: UInt64?
    /// The last row that starts at or before `pc`.
    private var found: (location: UInt64, state: FrameState<AllRegisters>)?

    init(text: consuming ListingText, names: RegisterNames, pc: UInt64?) {
        self.text = text
        self.names = names
        self.pc = pc
    }

    /// Starts an entry's table by printing its headings.
    mutating func begin(
        _ section: FrameSection, cie: ListedCIE, fde: FrameDescriptionEntry? = nil
    ) {
        columns.removeAll(keepingCapacity: true)
        columns.append(contentsOf: cie.touched)
        if let fde { columns.addRegisters(of: fde.instructions, section, cie: cie.entry) }
        addressDigits = cie.entry.addressSize * 2
        found = nil
        isIncomplete = columns.count > AllRegisters.limit
        text.append("   LOC" as StaticString)
        text.pad(from: 6, to: addressDigits)
        text.append("CFA      " as StaticString)
        for register in columns {
            if register == cie.entry.returnAddressRegister {
                text.appendCell("ra", width: 5)
            } else if section.isAArch64, register == AllRegisters.signingStateRegister {
                text.appendCell("sign", width: 5)
            } else {
                text.appendCell(names.name(register) ?? "r\(register)", width: 5)
            }
        }
        text.endLine()
    }

    mutating func row(at location: UInt64, _ state: UnsafeMutablePointer<FrameState<AllRegisters>>) {
        if state.pointee.columns.isIncomplete { isIncomplete = true }
        guard let pc else { return append(location, state.pointee) }
        if location <= pc { found = (location, state.pointee) }
    }

    /// Ends the table. Rows are valid below `limit`.
    mutating func end(limit: UInt64) {
        guard let pc, let found, pc < limit else { return }
        append(found.location, found.state)
    }

    private mutating func append(_ location: UInt64, _ state: borrowing FrameState<AllRegisters>) {
        count += 1
        text.append(hex: location, digits: addressDigits)
        text.append(byte: UInt8(ascii: " "))
        append(state.cfa)
        var next = 0
        let rules = state.columns.columns
        for register in columns {
            while next < rules.count, rules[next].register < register { next += 1 }
            let isKept = next < rules.count && rules[next].register == register
            append(isKept ? rules[next].rule : .unspecified, isSigning: register == AllRegisters.signingStateRegister)
        }
        text.endLine()
    }

    private mutating func append(_ cfa: CFARule) {
        let start = text.count
        switch cfa.kind {
        case .undefined: text.append("u" as StaticString)
        case .expression: text.append("exp" as StaticString)
        case .registerOffset:
            if let name = names.name(cfa.register) {
                text.append(name)
            } else {
                text.append(byte: UInt8(ascii: "r"))
                text.append(decimal: cfa.register)
            }
            text.append(signed: cfa.offset)
        }
        text.pad(from: text.count - start, to: 8)
    }

    private mutating func append(_ rule: RegisterRule, isSigning: Bool) {
        let start = text.count
        switch rule.kind {
        case .unspecified where isSigning && rule.register != 0:
            text.append(rule.register & 2 == 0 ? "yes" as StaticString : "yes+pc")
        case .unspecified: text.append("u" as StaticString)
        case .undefined: text.append("undef" as StaticString)
        case .sameValue: text.append("s" as StaticString)
        case .offset:
            text.append(byte: UInt8(ascii: "c"))
            text.append(signed: rule.offset)
        case .valueOffset:
            text.append(byte: UInt8(ascii: "v"))
            text.append(signed: rule.offset)
        case .register: text.append(register: rule.register, names)
        case .expression: text.append("exp" as StaticString)
        case .valueExpression: text.append("vexp" as StaticString)
        case .tooWide: text.append("wide" as StaticString)
        }
        text.pad(from: text.count - start, to: 5)
    }
}
