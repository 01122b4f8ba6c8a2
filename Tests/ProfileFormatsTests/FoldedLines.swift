import TestFixtures

/// Folded stacks, and plain sums over them.
enum FoldedLines {
    /// Stacks of a few functions, some of them recursive.
    static func random(_ count: Int) -> [String] {
        var generator = SeededGenerator(seed: 7)
        let functions = (0..<160).map { "\(["f", "g", "h"][$0 % 3])\($0)" }
        return (0..<count).map { _ in
            let depth = Int.random(in: 1...12, using: &generator)
            let range = Int.random(in: 2...functions.count, using: &generator)
            let frames = ["main"] + (0..<depth).map { _ in functions[Int.random(in: 0..<range, using: &generator)] }
            return (["thread"] + frames).joined(separator: ";") + " \(Int.random(in: 1...50, using: &generator))"
        }
    }

    /// Per function: the sum of the lines that end with it, and of those in which it is.
    static func sums(_ lines: [String]) -> (functions: [String: [Int]], total: Int) {
        var functions: [String: [Int]] = [:]
        var total = 0
        for line in lines {
            let (names, count) = MadeProfile.parts(line)
            total += count
            for name in Set(names.dropFirst()) { functions[name, default: [0, 0]][1] += count }
            if let innermost = names.last { functions[innermost, default: [0, 0]][0] += count }
        }
        return (functions, total)
    }

    /// The sum of the lines with a name that matches.
    static func weight(_ lines: [String], _ matches: (String) -> Bool) -> Int {
        lines.map(MadeProfile.parts).filter { $0.names.dropFirst().contains(where: matches) }.map(\.count).reduce(0, +)
    }
}
