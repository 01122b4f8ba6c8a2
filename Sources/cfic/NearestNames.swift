/// Names that somebody who mistyped one may have meant.
struct NearestNames {
    private var names: [String]

    /// The names that differ from a text by the fewest inserted, removed and replaced bytes, if those are few.
    static func of(_ text: String, among names: [String]) -> NearestNames {
        var limit = max(2, text.utf8.count / 3)
        var found: [String] = []
        for name in names {
            let distance = distance(Array(text.utf8), Array(name.utf8))
            if distance > limit { continue }
            if distance < limit { found = [] }
            limit = distance
            found.append(name)
        }
        return NearestNames(names: Array(found.prefix(3)))
    }

    /// Such as "; did you mean a or b?"; empty if no name is near.
    var question: String { names.isEmpty ? "" : "; did you mean \(names.joined(separator: " or "))?" }

    /// Levenshtein's distance.
    static func distance(_ one: [UInt8], _ other: [UInt8]) -> Int {
        var row = Array(0...other.count)
        for (index, byte) in one.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for (column, candidate) in other.enumerated() {
                let replaced = diagonal + (byte == candidate ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, diagonal + 1, row[column] + 1)
            }
        }
        return row[other.count]
    }
}
