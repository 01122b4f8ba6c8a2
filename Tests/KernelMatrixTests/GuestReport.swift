import TestFixtures

/// What a guest printed: of the loader, lines of a word that says what they are of, and names with numbers.
struct GuestReport {
    /// Of verifying a program, looking up a table's addresses or comparing a workload's samples.
    struct Line {
        /// What it is of: a program, a table, a workload.
        var name: String
        var values: [String: Int]

        /// - Returns: -1 if there is no such value, which no value is.
        subscript(_ value: String) -> Int { values[value] ?? -1 }
    }

    /// All of it.
    var text: String
    var lines: [[Substring]]

    init(_ text: String) throws {
        self.text = text
        lines = text.split(whereSeparator: \.isNewline).map { $0.split(separator: " ") }
        guard lines.last == ["finished"] else { throw TestFailure("the guest did not finish:\n\(text)") }
    }

    /// Instructions that were verified, by program.
    var verified: [String: Int] {
        lines.filter { $0.count == 3 && $0[0] == "verifier" }
            .reduce(into: [:]) { $0[String($1[1]), default: 0] = Int($1[2]) ?? .max }
    }

    /// How looking up went, by table.
    var lookups: [Line] { comparisons("lookups") }
    /// How walks were that the loader asked for itself.
    var walks: [Line] { comparisons("walks") }
    /// How samples were, by workload.
    var stacks: [Line] { comparisons("stacks") }

    private func comparisons(_ word: Substring) -> [Line] {
        lines.filter { $0.first == word && $0.count > 2 }.map { words in
            let values = stride(from: 2, to: words.count - 1, by: 2).map {
                (String(words[$0]), Int(words[$0 + 1]) ?? -1)
            }
            return Line(name: String(words[1]), values: Dictionary(values) { $1 })
        }
    }

    /// The value of a line that is a name and a value.
    func value(_ name: Substring) -> String? { lines.first { $0.count == 2 && $0[0] == name }.map { String($0[1]) } }

    /// Figures to print.
    var summary: String {
        let programs = verified.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        let looked = lookups.map { "\($0.name) \($0["random"] + 2 * $0["edges"])" }
        let compared = stacks.map { "\($0.name) \($0["samples"])" }
        return """
            \(value("kernel") ?? ""): instructions verified: \(programs.joined(separator: ", "))
                addresses looked up: \(looked.joined(separator: ", "))
                samples compared: \(compared.joined(separator: ", "))
            """
    }
}
