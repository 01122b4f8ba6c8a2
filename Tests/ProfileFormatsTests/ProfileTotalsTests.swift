import KernelUnwinder
@testable import ProfileFormats
import Symbols
import Testing

/// Sums and trees of profiles, compared with those of folded lines.
@Suite struct ProfileTotalsTests {
    private let lines = FoldedLines.random(800)
    private let profile: NamedProfile

    init() { profile = MadeProfile(folded: lines).profile }

    @Test func functionsHaveTheSumsOfTheLines() {
        let sums = FoldedLines.sums(lines).functions
        let rows = ProfileTotals(profile, by: .function).rows
        #expect(Dictionary(uniqueKeysWithValues: rows.map { ($0.name, [Int($0.own), Int($0.total)]) }) == sums)
        #expect(zip(rows, rows.dropFirst()).allSatisfy { $0.own >= $1.own })
        #expect(rows.allSatisfy { $0.module == "/bin/program" })
    }

    @Test func modulesAreCountedOncePerStack() {
        let rows = ProfileTotals(profile, by: .module).rows, total = FoldedLines.sums(lines).total
        #expect(rows.map(\.name) == ["/bin/program"] && rows.map { [Int($0.own), Int($0.total)] } == [[total, total]])
    }

    @Test func stacksAreDividedByWhoseTheyAre() {
        var made = MadeProfile()
        made.add(["a"], 3, thread: "x", process: 1, cgroup: "/c")
        made.add(["a"], 4, thread: "x", process: 2)
        made.add([], 5, thread: "y", process: 2)
        func rows(_ part: ProfileTotals.Part) -> [String] {
            ProfileTotals(made.profile, by: part).rows.map { "\($0.name) \(Int($0.own)) \(Int($0.total))" }
        }
        #expect(rows(.thread) == ["x 7 7", "y 5 5"])
        #expect(rows(.process) == ["2 y 5 5", "2 x 4 4", "1 x 3 3"])
        #expect(rows(.cgroup) == ["[unknown] 9 9", "/c 3 3"])
        #expect(rows(.function) == ["a 7 7", "[no frames] 5 5"])
    }

    @Test func linesAreThoseOfFilesThatAreKnown() {
        var made = MadeProfile()
        var frame = MadeProfile.Frame("f")
        (frame.file, frame.line) = ("a.c", 7)
        made.add([frame, "g"], 2)
        made.add([frame], 1)
        let rows = ProfileTotals(made.profile, by: .line).rows
        #expect(
            rows.map { "\($0.name) \($0.module) \(Int($0.own)) \(Int($0.total))" } == [
                "g /bin/program 2 2", "a.c:7  1 3",
            ])
    }

    // MARK: Trees

    /// The weight of each path, by its names, outermost first.
    private func paths(_ tree: CallTree) -> [String: Int] {
        var path: [String] = [], paths: [String: Int] = [:]
        tree.visit(atLeast: 0) { node, depth in
            path.removeLast(path.count - (depth - 1))
            path.append(profile.names[node.function])
            paths[path.joined(separator: ";")] = Int(node.total)
        }
        return paths
    }

    /// The same, of lines cut by a function.
    private func expected(_ cut: ([String]) -> [String]) -> [String: Int] {
        var paths: [String: Int] = [:]
        for line in lines {
            let (names, count) = MadeProfile.parts(line), frames = cut(Array(names.dropFirst()))
            for length in frames.indices { paths[frames[...length].joined(separator: ";"), default: 0] += count }
        }
        return paths
    }

    private func isNamed(_ name: String) -> (NamedProfile.Frame) -> Bool { { profile.names[$0.function] == name } }

    @Test func treeHasAllPaths() { #expect(paths(CallTree(of: profile)) == expected { $0 }) }

    @Test(arguments: ["main", "f0", "g1", "h2"]) func calleesAreBelowTheOutermostFrame(name: String) {
        let found = paths(CallTree(calleesOf: isNamed(name), in: profile))
        #expect(found == expected { frames in frames.firstIndex(of: name).map { Array(frames[$0...]) } ?? [] })
        #expect(found[name] == FoldedLines.weight(lines) { $0 == name })
    }

    @Test(arguments: ["main", "f0", "g1", "h2"]) func callersAreAboveTheInnermostFrame(name: String) {
        let found = paths(CallTree(callersOf: isNamed(name), in: profile))
        #expect(found == expected { frames in frames.lastIndex(of: name).map { frames[...$0].reversed() } ?? [] })
        #expect(found[name] == FoldedLines.weight(lines) { $0 == name })
    }

    @Test func lightNodesAreLeftOutAndTheHeaviestComesFirst() {
        var made = MadeProfile()
        made.add(["a", "b"], 1)
        made.add(["a", "c"], 2)
        made.add(["d"], 10)
        var visited: [String] = []
        CallTree(of: made.profile).visit(atLeast: 2) { node, depth in
            visited.append("\(depth) \(made.profile.names[node.function]) \(Int(node.own)) \(Int(node.total))")
        }
        #expect(visited == ["1 d 10 10", "1 a 0 3", "2 c 2 2"])
    }

    // MARK: Differences

    @Test func differenceHasTheStacksOfBothAndScalesTheEarlierOnes() throws {
        var old = MadeProfile(), new = MadeProfile()
        old.add(["main", "gone"], 10, process: 1)
        old.add(["main", "same"], 10, process: 1)
        new.add(["main", "same"], 20, process: 2)
        new.add(["main", "added"], 20, process: 3)
        let both = try ProfileDifference(from: old.profile, to: new.profile)
        let tree = FlameTree(both.profile, old: both.old)
        let found = tree.nodes.map { node in
            "\(both.profile.names[tree.functions[Int(node.function)].name]) \(node.total) \(node.old)"
        }
        #expect(found.dropFirst().sorted() == ["added 20 0", "gone 0 20", "main 40 40", "same 20 20"])
        #expect(tree.nodes[0].total == 40 && tree.nodes[0].old == 40)
        #expect(both.profile.total == .init(samples: 40, total: 40))
    }

    @Test func differentUnitsAreNotCompared() {
        #expect(throws: ProfileDifference.DifferentUnits.self) {
            try ProfileDifference(from: MadeProfile(.events).profile, to: MadeProfile(.samples).profile)
        }
    }

    @Test func pictureOfADifferenceShowsIt() throws {
        var old = MadeProfile(), new = MadeProfile()
        old.add(["main", "shrunk"], 90)
        old.add(["main", "grown"], 10)
        new.add(["main", "shrunk"], 10)
        new.add(["main", "grown"], 90)
        var output = Bytes()
        try SVGFormat(comparedWith: old.profile).write(new.profile, to: &output)
        let svg = String(decoding: output.bytes, as: UTF8.self)
        #expect(svg.contains("grown\n90 samples, 90.00 %\nbefore 10.00 %: +80.00 points"))
        #expect(svg.contains("before 90.00 %: -80.00 points") && svg.contains("class=\"change0\""))
        #expect(
            svg.contains("class=\"change7\"") && svg.contains("class=\"change-7\"") && svg.contains("more than before"))
        #expect(!new.svg.contains("before"))
    }
}
