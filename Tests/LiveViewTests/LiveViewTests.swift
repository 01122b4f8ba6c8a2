@testable import LiveView
import KernelUnwinder
import ProfileFormats
import Symbols
import Testing

/// What a live view shows, without a terminal.
@Suite struct LiveViewTests {
    /// Folded lines, of complete stacks; those of a thread whose name begins with `!` are truncated.
    private static func profile(_ lines: [String]) -> NamedProfile {
        var profile = NamedProfile(unit: .samples, event: "clock", seconds: 1)
        let module = profile.number(of: .init(path: profile.name("/bin/program"), buildID: profile.noName))
        for line in lines {
            let space = line.lastIndex(of: " ")!
            let names = line[..<space].split(separator: ";").map(String.init)
            var node: UInt32 = 0
            for name in names.dropFirst() {
                let marks: NamedProfile.Marks =
                    name.hasSuffix("_[k]") ? .kernel : name.hasSuffix("_[fp]") ? .guessed : []
                let id = profile.name(name)
                let frame = profile.number(
                    of: .init(function: id, symbol: id, module: module, file: profile.noName, marks: marks))
                node = profile.node(of: frame, calledFrom: node)
            }
            let count = Int(line[line.index(after: space)...])!
            profile.add(
                .init(
                    node: node, process: 1, thread: profile.name(names[0]), cgroup: profile.noName, isWaiting: false,
                    end: profile.noName, outcome: names[0].hasPrefix("!") ? .truncated : .complete),
                .init(samples: count, total: Double(count)))
        }
        return profile
    }

    private static let lines = ["t;main;b 10", "t;main;a;c 40", "t;main;a 20", "u;main;read_[k] 20", "!v;d 10"]

    private static func model(_ lines: [String] = lines) -> LiveModel {
        LiveModel(profile(lines), LiveModel.Status(title: "everything"))
    }

    private func names(_ tree: LiveTree, _ node: Int = 0) -> [String] {
        let own = "\(tree.path(to: node).map(\.name).joined(separator: ";")) \(tree.nodes[node].total)"
        return [own] + tree.nodes[node].children.flatMap { names(tree, $0) }
    }

    @Test func treeAddsUpByThreadAndFunction() {
        #expect(
            names(LiveTree(Self.profile(Self.lines))) == [
                " 100.0", "!v 10.0", "!v;[truncated] 10.0", "!v;[truncated];d 10.0", "t 70.0", "t;main 70.0",
                "t;main;a 60.0", "t;main;a;c 40.0", "t;main;b 10.0", "u 20.0", "u;main 20.0", "u;main;read_[k] 20.0",
            ])
    }

    private func selected(_ model: LiveModel) -> String {
        model.tree.path(to: model.selection).map(\.name).joined(separator: ";")
    }

    @Test func keysMoveTheSelection() {
        var model = Self.model()
        var path: [String] = []
        for key in [.down, .down, .down, .right, .right, .left, .left, .left, .up, .up, .up, .up] as [LiveModel.Key] {
            model.press(key)
            path.append(selected(model))
        }
        #expect(
            path == [
                // Down leads to the heaviest callee, left and right to what is beside it, whoever called it.
                "t", "t;main", "t;main;a", "t;main;b", "u;main;read_[k]", "t;main;b", "t;main;a", "!v;[truncated];d",
                "!v;[truncated]", "!v", "", "",
            ])
    }

    @Test func zoomEndsWhereItBegan() {
        var model = Self.model()
        for key in [.down, .down, .enter] as [LiveModel.Key] { model.press(key) }
        #expect(model.zoom == model.selection && selected(model) == "t;main")
        model.press(.up)
        #expect(selected(model) == "t;main")
        model.press(.back)
        #expect(model.tree.path(to: model.zoom).map(\.name) == ["t"] && selected(model) == "t;main")
        model.press(.home)
        #expect(model.zoom == 0 && model.selection == 0)
    }

    @Test func selectionStaysWithItsFunctionsWhenTheProfileChanges() {
        var model = Self.model()
        for key in [.down, .down, .enter, .down] as [LiveModel.Key] { model.press(key) }
        let next = ["a;x 5", "t;main;a;c 1", "t;main;aa 1"]
        model.show(Self.profile(next), LiveModel.Status(title: ""))
        #expect(selected(model) == "t;main;a" && model.tree.path(to: model.zoom).map(\.name) == ["t", "main"])
        // What is gone leads to what is left of it.
        model.show(Self.profile(["t;other 1"]), LiveModel.Status(title: ""))
        #expect(selected(model) == "t" && model.tree.path(to: model.zoom).map(\.name) == ["t"])
    }

    @Test func pauseKeepsThePictureUntilItEnds() {
        var model = Self.model()
        model.press(.character("p"))
        model.show(Self.profile(["t;later 1"]), LiveModel.Status(title: "later"))
        #expect(model.isPaused && model.status.title == "everything" && model.tree.nodes.count == 12)
        model.press(.character("p"))
        #expect(!model.isPaused && model.status.title == "later" && model.tree.nodes.count == 3)
    }

    @Test(arguments: ["q", "\u{3}"] as [Character]) func someKeysEndIt(key: Character) {
        var model = Self.model()
        model.press(.character("x"))
        #expect(!model.isEnded)
        model.press(.character(key))
        #expect(model.isEnded)
    }

    private func rows(_ model: LiveModel, _ rows: Int, _ columns: Int) -> [String] {
        var screen = Array(repeating: Array(repeating: Character(" "), count: columns), count: rows)
        for piece in LivePicture(model, rows: rows, columns: columns).pieces {
            #expect(piece.column + piece.text.count <= columns, "\(piece)")
            for (offset, character) in piece.text.enumerated() { screen[piece.row][piece.column + offset] = character }
        }
        return screen.map { String($0) }
    }

    @Test func graphIsAsWideAsItsShares() {
        let rows = rows(Self.model(), 20, 50)
        #expect(rows[0].hasPrefix("cfic top, everything | 100 samples in 1.0 s | 90.0"))
        #expect(rows[1].hasPrefix("100.0 % total, 0.0 % self: all"))
        #expect(rows[2].hasPrefix("all  "))
        #expect(rows[3] == "!v   t                                  u         ".padded(50))
        #expect(rows[4] == "[tru main                               main      ".padded(50))
        #expect(rows[5] == "d    a                             b    read_[k]  ".padded(50))
        #expect(rows[6] == "     c                                            ".padded(50))
        #expect(rows[11].hasPrefix("    SELF   TOTAL  FUNCTION"))
        #expect(rows[12].hasPrefix("  40.0 %  40.0 %  c (program)"))
        #expect(rows[19].hasPrefix("arrows: move"))
    }

    @Test func kindsAndTheSelectionHaveStyles() {
        let model = Self.model(["t;main;f_[k] 1", "t;main;g_[fp] 1"])
        let styles = LivePicture(model, rows: 20, columns: 40).pieces.filter { (2..<7).contains($0.row) }.map(\.style)
        #expect(Set(styles.map { "\($0)" }) == ["selected", "user", "kernel", "guessed"])
    }

    /// Down to nothing.
    @Test(arguments: [(0, 0), (1, 1), (2, 80), (5, 3), (24, 1), (3, 20), (200, 500)])
    func anySizeWillDo(size: (rows: Int, columns: Int)) {
        for piece in LivePicture(Self.model(), rows: size.rows, columns: size.columns).pieces {
            #expect(piece.row < size.rows && piece.column + piece.text.count <= size.columns)
        }
    }

    @Test func emptyProfileIsNoProblem() {
        var model = Self.model([])
        for key in [.down, .right, .enter, .back, .up] as [LiveModel.Key] { model.press(key) }
        #expect(rows(model, 24, 80)[1].hasPrefix("0.0 % total"))
    }
}

extension String {
    fileprivate func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
