/// Collects rows as `ListedRow`s.
struct RowCollector: RowSink {
    typealias Columns = AllRegisters

    private(set) var rows: [ListedRow] = []
    /// Whether the entry has more registers than `AllRegisters` can track.
    private(set) var isIncomplete = false
    private let section: FrameSection
    private let names: RegisterNames
    /// Keep only the row for this SVMA; nil keeps all.
    private let pc: UInt64?

    init(_ section: FrameSection, _ names: RegisterNames, pc: UInt64?) {
        self.section = section
        self.names = names
        self.pc = pc
    }

    mutating func row(at location: UInt64, _ state: UnsafeMutablePointer<FrameState<AllRegisters>>) {
        isIncomplete = isIncomplete || state.pointee.columns.isIncomplete
        if !rows.isEmpty {
            if rows[rows.count - 1].limit > location { rows[rows.count - 1].limit = location }
            if let pc {
                guard location <= pc else { return }
                rows.removeLast()
            }
        } else if let pc, location > pc {
            return
        }
        var row = ListedRow(start: location, limit: .max, cfa: rule(for: state.pointee.cfa), registers: [])
        for column in state.pointee.columns.columns {
            if section.isAArch64, column.register == AllRegisters.signingStateRegister,
                let signing = column.rule.signingState
            {
                row.returnAddressState = signing & 1 == 0 ? .notSigned : signing & 2 == 0 ? .signed : .signedWithPC
            } else if column.rule.kind != .unspecified {
                row.registers.append(rule(column))
            }
        }
        rows.append(row)
    }

    /// Ends the last row at `limit`, if it hasn't ended before.
    mutating func end(at limit: UInt64) {
        guard let last = rows.last else { return }
        rows[rows.count - 1].limit = min(last.limit, limit)
        if let pc, pc >= rows[rows.count - 1].limit { rows.removeLast() }
    }

    private func rule(for cfa: CFARule) -> ListedRule {
        switch cfa.kind {
        case .undefined: ListedRule(kind: .unspecified)
        case .registerOffset: ListedRule(kind: .valueOffset, register: cfa.register, offset: cfa.offset)
        case .expression: ListedRule(kind: .expression, expression: text(cfa.expression))
        }
    }

    private func rule(_ column: AllRegisters.Column) -> ListedRule {
        let rule = column.rule
        var listed = ListedRule(kind: .unspecified, column: column.register, name: names.name(column.register))
        switch rule.kind {
        case .unspecified: break
        case .undefined: listed.kind = .undefined
        case .sameValue: listed.kind = .sameValue
        case .offset:
            listed.kind = .offset
            listed.offset = rule.offset
        case .valueOffset:
            listed.kind = .valueOffset
            listed.offset = rule.offset
        case .register:
            listed.kind = .register
            listed.register = rule.register
        case .expression, .valueExpression:
            listed.kind = rule.kind == .expression ? .expression : .valueExpression
            listed.expression = text(rule)
        case .tooWide: listed.kind = .tooWide
        }
        return listed
    }

    /// Nil if the expression was too long for a `RegisterRule`.
    private func text(_ rule: RegisterRule) -> String? {
        guard rule.kind == .expression || rule.kind == .valueExpression else { return nil }
        return ListingText.string { $0.append(expression: rule.block, of: section, names) }
    }
}
