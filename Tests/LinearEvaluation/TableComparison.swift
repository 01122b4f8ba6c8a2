import UnwindTable

/// Compares a table with the linear evaluation of its image: its list of rows, and lookups.
public struct TableComparison {
    public private(set) var rowCount = 0
    public private(set) var lookupCount = 0
    /// The first differences as text.
    public private(set) var differences: [String] = []

    /// - Parameter view: the table of the same image, made without keeping gaps.
    public init(_ view: TableView, _ linear: LinearEvaluation) {
        let machine = view.machine
        // Compare rules as text, which has their whole meaning but doesn't depend on the numbering of rules and
        // programs.
        let texts = view.rules.indices.map(view.describe)
        var numbers: [String: Int] = [:]
        for (number, text) in texts.enumerated() {
            if let other = numbers.updateValue(number, forKey: text) { differ("rules \(other) and \(number) are one") }
        }
        let expected = linear.texts.map { numbers[$0] }
        func text(_ rule: Int) -> String { linear.texts[rule] }

        compareLists(view, linear, expected, texts)
        let unit: UInt64 = 1 << UInt64(machine.pcShift)
        for (position, row) in linear.rows.enumerated() {
            let limit = position + 1 < linear.rows.count ? linear.rows[position + 1].start : nil
            check(view, row.start, expected[row.rule], texts, text(row.rule))
            if row.start &+ unit < limit ?? .max {
                check(view, row.start &+ unit, expected[row.rule], texts, text(row.rule))
            }
            // All bytes of the preceding unit, which include a return address's pc−1.
            if let limit {
                check(view, limit - 1, expected[row.rule], texts, text(row.rule))
                check(view, limit - unit, expected[row.rule], texts, text(row.rule))
            }
        }
        checkPageEdges(view, linear, expected, texts, unit)
        checkCounts(view, linear)
    }

    private mutating func compareLists(
        _ view: TableView, _ linear: LinearEvaluation, _ expected: [Int?], _ texts: [String]
    ) {
        var rows: [LinearEvaluation.Row] = [.init(start: 0, rule: 0)]
        func append(_ start: UInt64, _ rule: Int) {
            if rows[rows.count - 1].start == start { rows.removeLast() }
            if rows.last?.rule != rule { rows.append(.init(start: start, rule: rule)) }
        }
        var end: UInt64 = 0
        view.forEachRow { range, rule in
            // Addresses outside all pages have no information.
            if range.lowerBound != end { append(end, 0) }
            append(range.lowerBound, rule)
            end = range.upperBound
        }
        if end != .max { append(end, 0) }
        rowCount = linear.rows.count
        if rows.count != linear.rows.count {
            differ("\(rows.count) rows, linear evaluation gives \(linear.rows.count)")
        }
        for (mine, theirs) in zip(rows, linear.rows)
        where mine.start != theirs.start || mine.rule != expected[theirs.rule] {
            return differ(
                "row at 0x\(String(mine.start, radix: 16)): \(texts[mine.rule]); linear evaluation: "
                    + "0x\(String(theirs.start, radix: 16)): \(linear.texts[theirs.rule])")
        }
    }

    private mutating func checkPageEdges(
        _ view: TableView, _ linear: LinearEvaluation, _ expected: [Int?], _ texts: [String], _ unit: UInt64
    ) {
        var edges: [UInt64] = []
        view.forEachPage { page in
            edges.append(page.address)
            edges.append(page.address &+ 1 << view.pageShift)
        }
        var position = 0
        for edge in edges {
            for address in [edge &- unit, edge, edge &+ unit] where address < .max - unit {
                // Edges ascend by whole pages, so this goes back by at most one row.
                while position > 0, linear.rows[position].start > address { position -= 1 }
                while position + 1 < linear.rows.count, linear.rows[position + 1].start <= address { position += 1 }
                let rule = linear.rows[position].rule
                check(view, address, expected[rule], texts, linear.texts[rule])
            }
        }
    }

    private mutating func checkCounts(_ view: TableView, _ linear: LinearEvaluation) {
        let counts = view.header.counts
        func compare(_ what: String, _ mine: UInt64, _ theirs: UInt64) {
            if mine != theirs { differ("\(what): \(mine), linear evaluation gives \(theirs)") }
        }
        compare("covered bytes", counts.coveredBytes, linear.coveredBytes)
        compare("absorbed bytes", counts.absorbedBytes, linear.absorbedBytes)
        compare("lowered bytes", counts.loweredBytes, linear.loweredBytes)
        // Without the row at address 0, which isn't one of the image's.
        compare("rows", counts.rows, UInt64(linear.rows.count - 1))
    }

    @inline(__always)
    private mutating func check(
        _ view: TableView, _ address: UInt64, _ expected: Int?, _ texts: [String], _ text: @autoclosure () -> String
    ) {
        lookupCount += 1
        let found = view.ruleNumber(at: address)
        if found != expected {
            differ("lookup of 0x\(String(address, radix: 16)): \(texts[found]); linear evaluation: \(text())")
        }
    }

    private mutating func differ(_ what: String) {
        if differences.count < 20 { differences.append(what) }
    }
}
