/// A range of addresses with one rule, from its address to the next row's.
public struct InferredRow: Equatable, Sendable {
    /// SVMA.
    public var address: UInt64
    /// Nil where nothing is known: code that no path reaches, padding, the end.
    public var rule: InferredRule?

    public init(address: UInt64, rule: InferredRule?) {
        self.address = address
        self.rule = rule
    }
}

extension FunctionAnalysis {
    /// The rows of a function, in ascending address order; neighbours have different rules. The last one has no rule: it is
    /// where the function, or one of its parts, ends.
    ///
    /// Throws why the function gets no rules.
    ///
    /// - Parameter function: number of the extent that it begins with.
    public func rows(of function: Int) throws(InferenceFailure) -> [InferredRow] {
        var found: [(start: UInt64, end: UInt64, rule: InferredRule)] = []
        let result = run(function) { visit in
            found.append((visit.address, visit.address + UInt64(visit.length), visit.rule))
        }
        if let failure = result.failure { throw failure }
        found.sort { $0.start < $1.start }
        return InferredRow.rows(found)
    }
}

extension InferredRow {
    /// Rows from instructions.
    ///
    /// - Parameter found: in ascending address order.
    static func rows(_ found: [(start: UInt64, end: UInt64, rule: InferredRule)]) -> [InferredRow] {
        var rows: [InferredRow] = []
        func append(_ address: UInt64, _ rule: InferredRule?) {
            if rows.last?.rule != rule || rows.isEmpty { rows.append(InferredRow(address: address, rule: rule)) }
        }
        for (index, piece) in found.enumerated() {
            append(piece.start, piece.rule)
            let next = index + 1 < found.count ? found[index + 1].start : nil
            if next.map({ $0 > piece.end }) ?? true { append(piece.end, nil) }
        }
        return rows
    }
}
