import TestFixtures
import Testing
import UnwindTable

/// Compares lookups with the writer's linear evaluation, at and next to every boundary; rows with lookups; and the
/// header's count of rows with the rows.
func requireSameAsLinear(
    _ table: BuiltTable, _ writer: CFIWriter, isExecutable: (UInt64) -> Bool = { _ in true },
    sourceLocation: SourceLocation = #_sourceLocation
) {
    var differences: [String] = []
    for boundary in writer.boundaries {
        for address in [boundary &- 1, boundary, boundary &+ 1] {
            let expected = isExecutable(address) ? writer.cfaOffset(at: address) : nil
            let found = table.cfaOffset(at: address)
            if found != expected { differences.append("\(address): \(found as Any) for \(expected as Any)") }
        }
    }
    #expect(differences.prefix(5) == [], sourceLocation: sourceLocation)
    requireSameRows(table, sourceLocation: sourceLocation)
}

func requireSameRows(_ table: BuiltTable, sourceLocation: SourceLocation = #_sourceLocation) {
    var wrong = 0
    var last: (end: UInt64, rule: Int)?
    table.view.forEachRow { range, rule in
        if table.view.ruleNumber(at: range.lowerBound) != rule { wrong += 1 }
        if table.view.ruleNumber(at: range.upperBound - 1) != rule { wrong += 1 }
        if let last, range.lowerBound < last.end || range.lowerBound == last.end && rule == last.rule { wrong += 1 }
        last = (range.upperBound, rule)
    }
    #expect(wrong == 0, sourceLocation: sourceLocation)
    #expect(table.changes == table.counts.rows, sourceLocation: sourceLocation)
}
