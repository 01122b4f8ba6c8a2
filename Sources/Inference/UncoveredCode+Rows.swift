extension UncoveredCode {
    /// Takes the rows of all extents on which functions agree, and counts what gets none.
    mutating func take(_ analysis: borrowing UncoveredAnalysis, _ search: borrowing StartSearch) {
        let extents = analysis.extents
        var next = 0
        for gap in search.bytes.gaps {
            var address = gap.range.lowerBound
            while next < extents.code.extents.count, extents.code.extents[next].lowerBound < gap.range.upperBound {
                let (number, extent) = (next, extents.code.extents[next])
                next += 1
                guard extents.code.isUncovered(number) else { continue }
                giveUp(address..<extent.lowerBound, Self.noStart, search)
                take(number, extent, analysis, search)
                address = extent.upperBound
            }
            giveUp(address..<gap.range.upperBound, Self.noStart, search)
        }
    }

    private mutating func take(
        _ number: Int, _ extent: Range<UInt64>, _ analysis: borrowing UncoveredAnalysis, _ search: borrowing StartSearch
    ) {
        let pieces = analysis.pieces[number] ?? []
        if pieces.isEmpty { return giveUp(extent, analysis.failures[number]?.reason ?? Self.unreached, search) }
        let extents = analysis.extents
        let isDisputed = extents.disputed.contains(number) && !(extents.evidence[number]?.isCertain ?? true)
        // What frames covered functions have there isn't known.
        let isUnknown = analysis.tainted.contains(number) || extents.code.isShared.contains(number)
        if isDisputed || isUnknown { return giveUp(extent, Self.conflict, search) }
        var rows = RowMerge(pieces[0].rows)
        for piece in pieces.dropFirst() { rows.merge(piece.rows) }
        account(rows, extent, search)
        guard rows.rows.contains(where: { $0.rule != nil }) else { return }
        let known = rows.ruleRows
        functions.append(InferredFunction(range: known[0].address..<known[known.count - 1].address, rows: known))
    }

    private mutating func account(_ merged: RowMerge, _ extent: Range<UInt64>, _ search: borrowing StartSearch) {
        var address = extent.lowerBound
        for (index, row) in merged.rows.enumerated() {
            giveUp(address..<max(address, row.address), Self.unreached, search)
            let end = index + 1 < merged.rows.count ? merged.rows[index + 1].address : row.address
            if row.rule != nil {
                ruleBytes += Int(end - row.address)
            } else if end > row.address {
                giveUp(row.address..<end, row.isConflict ? Self.conflict : Self.unreached, search)
            }
            address = end
        }
        giveUp(address..<max(address, extent.upperBound), Self.unreached, search)
    }

    /// Counts bytes without a rule: those that were reached as code, and what is between them but for padding.
    private mutating func giveUp(_ range: Range<UInt64>, _ reason: String, _ search: borrowing StartSearch) {
        guard !range.isEmpty, let number = search.bytes.gap(at: range.lowerBound) else { return }
        let gap = search.bytes.gaps[number]
        let first = gap.first + Int(range.lowerBound - gap.range.lowerBound)
        let limit = first + range.count
        var padding = 0
        var byte = first
        while byte < limit {
            byte = search.bytes.nextUnreached(from: byte, to: limit)
            let rest = search.bytes.nextReached(from: byte, to: limit)
            padding += ProgramCode.leadingPadding(
                UnsafeRawBufferPointer(rebasing: gap.bytes[byte - gap.first..<rest - gap.first]))
            byte = rest
        }
        paddingBytes += padding
        if padding < range.count { givenUp[reason, default: 0] += range.count - padding }
    }
}

/// Rows on which several functions agree that reach the same bytes.
struct RowMerge {
    struct Row {
        var address: UInt64
        var rule: InferredRule?
        /// Whether rules differ, so that there is none.
        var isConflict = false
    }

    /// In ascending address order; the last one has no rule.
    private(set) var rows: [Row]

    init(_ rows: [InferredRow]) { self.rows = rows.map { Row(address: $0.address, rule: $0.rule) } }

    /// Adds another function's rows: what only one function reaches keeps its rule.
    mutating func merge(_ others: [InferredRow]) {
        var merged: [Row] = []
        var (own, other) = (0, 0)
        var current = Row(address: 0, rule: nil)
        var added: InferredRule?
        while own < rows.count || other < others.count {
            let address = min(
                own < rows.count ? rows[own].address : .max, other < others.count ? others[other].address : .max)
            if own < rows.count, rows[own].address == address {
                current = rows[own]
                own += 1
            }
            if other < others.count, others[other].address == address {
                added = others[other].rule
                other += 1
            }
            var row = Row(address: address, rule: current.rule ?? added, isConflict: current.isConflict)
            if let rule = current.rule, let added, rule != added { row.isConflict = true }
            if row.isConflict { row.rule = nil }
            if merged.last.map({ $0.rule != row.rule || $0.isConflict != row.isConflict }) ?? true {
                merged.append(row)
            }
        }
        rows = merged
    }

    /// Without differences between rows that have no rule, and without such rows at the start.
    var ruleRows: [InferredRow] {
        var result: [InferredRow] = []
        for row in rows.drop(while: { $0.rule == nil })
        where result.isEmpty || result[result.count - 1].rule != row.rule {
            result.append(InferredRow(address: row.address, rule: row.rule))
        }
        return result
    }
}
