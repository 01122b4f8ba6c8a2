/// Columns of printable text, right-aligned but for those named left.
package struct TextTable {
    private var rows: [[String]] = []
    private let left: [Int]

    /// - Parameter header: nil for none.
    package init(_ header: [String]? = nil, left: [Int] = []) {
        rows = header.map { [$0] } ?? []
        self.left = left
    }

    package mutating func add(_ row: [String]) { rows.append(row.map(PrintableText.of)) }

    /// Without spaces at their ends.
    package var lines: [String] {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in
            rows.map { row in
                // The last column needs no padding if it is left-aligned.
                let isPadded = column < row.count - 1 || !left.contains(column)
                return isPadded && row.count > column ? row[column].count : 0
            }.max() ?? 0
        }
        return rows.map { row in
            // Nothing is at the end of a line but what has something to say.
            let said = row.prefix((row.lastIndex { !$0.isEmpty } ?? -1) + 1)
            var line = ""
            for (column, text) in said.enumerated() {
                let padding = String(repeating: " ", count: max(0, widths[column] - text.count))
                if column > 0 { line += "  " }
                line += !left.contains(column) ? padding + text : column == said.count - 1 ? text : text + padding
            }
            return line
        }
    }
}
