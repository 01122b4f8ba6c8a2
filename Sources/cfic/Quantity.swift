import Glibc
import Symbols

/// Numbers as people read them.
enum Quantity {
    /// 1234567 → 1,234,567
    static func count(_ value: some BinaryInteger) -> String {
        var digits = Array(String(value))
        var position = digits.count - 3
        while position > 0 {
            digits.insert(",", at: position)
            position -= 3
        }
        return String(digits)
    }

    /// 1 stack, 2 stacks.
    static func count(_ value: some BinaryInteger, _ thing: String) -> String {
        "\(count(value)) \(thing)\(value == 1 ? "" : "s")"
    }

    /// 512 B, 58.2 KiB, 4.1 MiB.
    static func bytes(_ value: UInt64) -> String {
        if value < 1024 { return "\(value) B" }
        var scaled = Double(value) / 1024
        for unit in ["KiB", "MiB", "GiB"] {
            if scaled < 1024 { return "\(fixed(scaled, 1)) \(unit)" }
            scaled /= 1024
        }
        return "\(fixed(scaled, 1)) TiB"
    }

    /// A share of 0...1. Only all of it is 100 %: what falls short by little is rounded down.
    static func percent(_ share: Double) -> String {
        share >= 1 ? "100 %" : "\(fixed((share * 10000).rounded(.down) / 100, 2)) %"
    }

    /// With so many digits behind the point.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = (value.magnitude * scale).rounded()
        guard scaled < 1e15 else { return "\(value)" }
        let whole = Int64(scaled)
        let unit = Int64(scale)
        let fraction = String(whole % unit)
        let sign = value < 0 && whole != 0 ? "-" : ""
        if digits == 0 { return sign + count(whole) }
        return sign + count(whole / unit) + "." + String(repeating: "0", count: digits - fraction.count) + fraction
    }
}

/// Columns of text, right-aligned but for those named left.
struct TextTable {
    private var rows: [[String]] = []
    private let left: Set<Int>

    init(_ header: [String], left: Set<Int> = []) {
        rows = [header]
        self.left = left
    }

    mutating func add(_ row: [String]) { rows.append(row.map(PrintableText.of)) }

    func write(to output: inout StandardOutput) {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in
            rows.map { row in
                // The last column needs no padding if it is left-aligned.
                let isPadded = column < row.count - 1 || !left.contains(column)
                return isPadded && row.count > column ? row[column].count : 0
            }.max() ?? 0
        }
        for row in rows {
            // Nothing is at the end of a line but what has something to say.
            let said = row.prefix((row.lastIndex { !$0.isEmpty } ?? -1) + 1)
            let cells = said.enumerated().map { column, text in
                let padding = String(repeating: " ", count: max(0, widths[column] - text.count))
                return left.contains(column) ? text + padding : padding + text
            }
            output.line(cells.joined(separator: "  "))
        }
    }
}
