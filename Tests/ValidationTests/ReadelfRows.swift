import TestFixtures

/// The CFA column of `readelf -wF`: a register and an offset, or `exp`.
struct ReadelfRows {
    private struct Entry {
        var range: Range<UInt64>
        var rows: [(start: UInt64, cfa: String)]
    }

    private var entries: [Entry] = []

    init(_ file: String, in directory: String) throws {
        let text = try CoreDumps.run(["readelf", "-wNF", file], in: directory)
        // An entry without rows of its own has its CIE's row.
        var initial: [Substring: String] = [:]
        var cie: Substring?
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count > 3, words[3] == "CIE" {
                cie = words[0]
            } else if words.count > 5, words[3] == "FDE" {
                cie = nil
                let bounds = words[5].dropFirst(3).split(separator: ".").compactMap { UInt64($0, radix: 16) }
                guard bounds.count == 2, bounds[0] <= bounds[1] else { throw TestFailure("readelf printed: \(line)") }
                let cfa = initial[words[4].dropFirst(4)] ?? ""
                entries.append(Entry(range: bounds[0]..<bounds[1], rows: [(bounds[0], cfa)]))
            } else if words.count > 1, words[0].count == 16, let start = UInt64(words[0], radix: 16) {
                if let cie {
                    initial[cie] = String(words[1])
                } else if !entries.isEmpty {
                    entries[entries.count - 1].rows.append((start, String(words[1])))
                }
            }
        }
    }

    /// The CFA of the row for an SVMA.
    func cfa(at address: UInt64) -> String? {
        entries.first { $0.range.contains(address) }?.rows.last { $0.start <= address }?.cfa
    }
}
