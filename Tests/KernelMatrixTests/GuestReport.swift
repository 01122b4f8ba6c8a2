import TestFixtures

/// A guest's output. The loader's lines have a word for their kind, then names with numbers.
struct GuestReport {
    /// The result of verifying a BPF program, of looking up a table's addresses, or of comparing a workload's samples.
    struct Line {
        /// The BPF program, table or workload.
        var name: String
        var values: [String: Int]

        /// - Returns: -1, which is no valid value, if there is no such value.
        subscript(_ value: String) -> Int { values[value] ?? -1 }
    }

    /// The whole output.
    var text: String
    var lines: [[Substring]]

    init(_ text: String) throws {
        self.text = text
        lines = text.split(whereSeparator: \.isNewline).map { $0.split(separator: " ") }
        guard lines.last == ["finished"] else { throw TestFailure("the guest did not finish:\n\(text)") }
    }

    /// The number of verified instructions, by BPF program.
    var verified: [String: Int] {
        lines.filter { $0.count == 3 && $0[0] == "verifier" }
            .reduce(into: [:]) { $0[String($1[1]), default: 0] = Int($1[2]) ?? .max }
    }

    /// The results of lookups, by table.
    var lookups: [Line] { comparisons("lookups") }
    /// The results of walks that the loader requested.
    var walks: [Line] { comparisons("walks") }
    /// The results of samples, by workload.
    var stacks: [Line] { comparisons("stacks") }
    /// The results of waits, by workload.
    var waits: [Line] { comparisons("waits") }
    /// The results of sampling all processes, by workload.
    var everyone: [Line] { comparisons("everyone") }

    private func comparisons(_ word: Substring) -> [Line] {
        lines.filter { $0.first == word && $0.count > 2 }.map { words in
            let values = stride(from: 2, to: words.count - 1, by: 2).map {
                (String(words[$0]), Int(words[$0 + 1]) ?? -1)
            }
            return Line(name: String(words[1]), values: Dictionary(values) { $1 })
        }
    }

    /// The value of a line with one name and one value.
    func value(_ name: Substring) -> String? { lines.first { $0.count == 2 && $0[0] == name }.map { String($0[1]) } }

    /// The folded stack with most samples, and their number, of what cfic printed after a word. A slow guest has others from
    /// the program's start.
    func mostSampled(_ word: Substring) -> (stack: Substring, samples: Int)? {
        lines.filter { $0.count == 3 && $0[0] == word }.map { ($0[1], Int($0[2]) ?? 0) }.max { $0.1 < $1.1 }
    }

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
