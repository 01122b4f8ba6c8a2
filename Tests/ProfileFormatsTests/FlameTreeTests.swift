import CUnwindTable
@testable import KernelUnwinder
@testable import Profile
@testable import ProfileFormats
import Symbols
import TestFixtures
import Testing

/// Which frames a flame graph shows as one.
@Suite struct FlameTreeTests {
    private typealias Frame = MadeProfile.Frame

    /// All nodes but the root, as paths of names, with what ends there and goes through.
    private func paths(_ made: MadeProfile) -> [String: [Int]] {
        let tree = FlameTree(made.profile)
        var paths = [""]
        for node in tree.nodes.dropFirst() {
            let function = tree.functions[Int(node.function)]
            let name = function.marks.contains(FlameTree.truncatedMark) ? "?" : made.profile.names[function.name]
            paths.append(paths[Int(node.parent)] + "/" + name)
        }
        return Dictionary(
            zip(paths, tree.nodes).dropFirst().map { ($0, [$1.own, $1.total]) },
            uniquingKeysWith: { first, _ in first + [-1] })
    }

    @Test func framesOfAFunctionAreOneBox() {
        var made = MadeProfile()
        made.add([Frame("main", address: 0x10), Frame("a", .exact, address: 0x20)], 2)
        made.add([Frame("main", address: 0x18), Frame("a", address: 0x24), Frame("b", .exact, address: 0x30)], 3)
        #expect(paths(made) == ["/main": [0, 5], "/main/a": [2, 5], "/main/a/b": [3, 3]])
    }

    @Test func functionsOfTwoModulesAreTwo() {
        var made = MadeProfile()
        made.add([Frame("main", module: "/a")], 2)
        made.add([Frame("main", module: "/b")], 3)
        #expect(FlameTree(made.profile).nodes.map(\.total) == [5, 2, 3])
    }

    @Test(arguments: [NamedProfile.Marks.kernel, .guessed, .unchecked, .finished, .inlined, .inferred])
    func framesFoundInAnotherWayAreApart(marks: NamedProfile.Marks) {
        var made = MadeProfile()
        made.add(["f"], 2)
        made.add([Frame("f", marks)], 3)
        #expect(FlameTree(made.profile).nodes.map(\.total) == [5, 2, 3])
    }

    @Test func truncatedStacksHaveABoxOfTheirOwn() {
        var made = MadeProfile()
        made.add(["main", "a"], 2)
        made.add(["a"], 3, outcome: .truncated)
        made.add(["main", "a"], 4, outcome: .truncated)
        #expect(
            paths(made) == [
                "/main": [0, 2], "/main/a": [2, 2], "/?": [0, 7], "/?/a": [3, 3], "/?/main": [0, 4],
                "/?/main/a": [4, 4],
            ])
    }

    @Test func waitsAreCounted() {
        var made = MadeProfile(.nanoseconds)
        made.add(["main", "a"], 1, weight: 1e9)
        made.add(["main", "a"], 1, weight: 2e9 + 0.6, isWaiting: true)
        made.add(["main", "b"], 1, weight: 5, isWaiting: true)
        let nodes = FlameTree(made.profile).nodes
        #expect(nodes.map(\.total) == [3_000_000_006, 3_000_000_006, 3_000_000_001, 5])
        #expect(nodes.map(\.waiting) == [2_000_000_006, 2_000_000_006, 2_000_000_001, 5])
    }

    @Test func stacksWithoutFramesOrSamples() {
        var made = MadeProfile()
        #expect(FlameTree(made.profile).nodes.map(\.total) == [0])
        made.add(["never"], 0)
        made.add([], 4)
        made.add([], 5, outcome: .truncated)
        #expect(paths(made) == ["/?": [5, 5]])
        #expect(FlameTree(made.profile).nodes[0].total == 9)
    }

    /// A weight that isn't a number, or is none that fits, must not end the program.
    @Test func oddWeightsCountAsNothing() {
        var made = MadeProfile()
        for (number, weight) in [Double.nan, .infinity, 1e300, -5, 2].enumerated() {
            made.add(["f"], 1, weight: weight, thread: "\(number)")
        }
        #expect(FlameTree(made.profile).nodes.map(\.total) == [2, 2])
        for thread in ["x", "y"] { made.add(["f"], 1, weight: 9e18, thread: thread) }
        #expect(FlameTree(made.profile).nodes.map(\.total) == [.max, .max])
    }

    @Test func linesOfAFunctionAreARange() {
        var made = MadeProfile()
        for (line, file) in [(UInt32(7), "a.c"), (0, "a.c"), (3, "a.c"), (9, "a.c")] {
            var frame = Frame("f")
            (frame.line, frame.file) = (line, file)
            made.add([frame])
        }
        var lines: [String] {
            FlameTree(made.profile).lines.map { "\(made.profile.names[$0.file]):\($0.first)-\($0.last)" }
        }
        #expect(lines == ["a.c:3-9"])
        var other = Frame("f")
        (other.line, other.file) = (1, "a.h")
        made.add([other])
        #expect(lines == [":0-0"])
    }

    /// Per name: what is its own, and what it is in at all, of one recording in both formats.
    @Test func sumsAreThoseOfFoldedStacks() {
        var made = MadeRecording(mapping: (0..<9).map { "/f\($0)" })
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<500 {
            let frames = (0..<Int.random(in: 1...8, using: &generator)).map { _ in
                let pc = UInt64.random(in: 0x1001...0x9fff, using: &generator)
                return Sample.Frame(pc, isGuessed: UInt8.random(in: 0..<8, using: &generator) == 0)
            }
            let end =
                UInt8.random(in: 0..<4, using: &generator) == 0
                ? StackEnd(code: CFIC_STEP_BAD_FRAME_POINTER.rawValue)
                : MadeRecording.whole
            made.add(MadeRecording.stack(frames, end: end), count: Int.random(in: 1...9, using: &generator))
        }
        let recording = made.recording(), names = Symbolizer(made.processes)
        let lines = FoldedStacks(recording, names).text.split(separator: "\n").map(String.init)
        let profile = NamedProfile(recording, names: names), tree = FlameTree(profile)
        var sums: [String: [Int]] = [:]
        for entry in tree.stacks {
            let count = profile.stacks[entry.number].weight.samples
            var path: [String] = []
            var node = Int(entry.node)
            while node > 0 {
                let function = tree.functions[Int(tree.nodes[node].function)]
                let mark = function.marks.contains(.guessed) ? "_[fp]" : ""
                path.append(
                    function.marks.contains(FlameTree.truncatedMark)
                        ? "[truncated]" : profile.names[function.name] + mark)
                node = Int(tree.nodes[node].parent)
            }
            sums[path[0], default: [0, 0]][0] += count
            for name in Set(path) { sums[name, default: [0, 0]][1] += count }
        }
        #expect(sums == FoldedLines.sums(lines).functions)
        #expect(tree.nodes[0].total == FoldedLines.sums(lines).total)
        #expect(sums["[truncated]"] != nil && sums["[f3]_[fp]"] != nil)
    }

    @Test func visitGoesDownFirst() {
        var made = MadeProfile()
        for path in [["a", "b"], ["c"], ["a", "d", "e"], ["a", "b", "f"]] { made.add(path.map { Frame($0) }) }
        let tree = FlameTree(made.profile)
        var visited = ""
        tree.visit { node, levelsUp in
            visited += made.profile.names[tree.functions[Int(tree.nodes[node].function)].name] + "\(levelsUp) "
        }
        #expect(visited == "a0 b0 f0 d2 e0 c3 ")
    }
}
