import Files
import KernelUnwinder
import Symbols

/// A flame graph as a picture: docs/flame-graph.md.
///
/// It has no script, and each box has a title that viewers show as a tooltip.
public struct SVGFlameGraph {
    private let profile: NamedProfile
    private let tree: FlameTree
    private let children: NodeChildren
    /// Whether boxes show what changed since an earlier profile.
    private let isDifference: Bool

    /// In pixels.
    private static let (width, margin, rowHeight) = (1200.0, 10.0, 18.0)
    /// Narrower boxes are left out, and counted.
    private static let leastWidth = 0.1
    /// Narrower boxes have no name.
    private static let leastLabelledWidth = 30.0
    /// Of most fonts, on average.
    private static let letterWidth = 6.2

    /// The flame graph of a profile.
    public init(_ profile: NamedProfile) {
        self.profile = profile
        tree = FlameTree(profile)
        children = NodeChildren(tree.nodes.lazy.map(\.parent))
        isDifference = false
    }

    /// The flame graph of the later of two profiles, whose colours show what has changed.
    public init(_ difference: ProfileDifference) {
        profile = difference.profile
        tree = FlameTree(profile, old: difference.old)
        children = NodeChildren(tree.nodes.lazy.map(\.parent))
        isDifference = true
    }

    /// Where a box is drawn.
    private struct Box {
        var node: Int
        /// 0 for the root.
        var depth: Int
        /// In pixels, from the left margin.
        var start, width: Double
    }

    /// Writes the picture in pieces.
    public func write(to output: inout some ByteSink) {
        let boxes = boxes()
        let rows = (boxes.map(\.depth).max() ?? 0) + 1
        let height = 64 + Double(rows) * Self.rowHeight + 34
        let full = Self.width + 2 * Self.margin
        output.write(
            """
            <?xml version="1.0" encoding="UTF-8"?>
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(full)) \(Int(height))" \
            width="\(Int(full))" height="\(Int(height))" role="img">
            <title>\(SVGText.escaped(title))</title>
            \(SVGStyle.text)
            <rect class="page" width="100%" height="100%"/>
            <text class="heading" x="\(Int(Self.margin))" y="26">\(SVGText.escaped(title))</text>
            <text class="quiet" x="\(Int(Self.margin))" y="46">\(SVGText.escaped(facts))</text>

            """)
        let bottom = 64 + Double(rows) * Self.rowHeight
        for box in boxes { output.write(element(box, bottom: bottom)) }
        output.write(legend(y: bottom + 22, leftOut: tree.nodes.count - boxes.count))
        output.write("</svg>\n")
    }

    private var title: String {
        let title = profile.event.isEmpty ? "Flame graph of waits" : "Flame graph of \(profile.event)"
        return isDifference ? title + ", and what has changed" : title
    }

    private var facts: String {
        let samples = profile.total.samples
        guard samples > 0 else { return "no samples" }
        return "\(samples) samples in \(SVGText.fixed(profile.seconds, 1)) s"
            + (profile.lostSamples > 0 ? ", \(profile.lostSamples) lost" : "")
    }

    /// Wide enough ones, the heaviest child first.
    private func boxes() -> [Box] {
        let all = tree.nodes[0].total
        guard all > 0 else { return [] }
        var boxes: [Box] = []
        var pending = [Box(node: 0, depth: 0, start: 0, width: Self.width)]
        while let box = pending.popLast() {
            boxes.append(box)
            var start = box.start
            for child in children[box.node].sorted(by: isHeavier) {
                let width = Self.width * Double(tree.nodes[Int(child)].total) / Double(all)
                guard width >= Self.leastWidth else { break }
                pending.append(Box(node: Int(child), depth: box.depth + 1, start: start, width: width))
                start += width
            }
        }
        return boxes
    }

    /// Of equal ones that first that was sampled first.
    private func isHeavier(_ one: UInt32, _ other: UInt32) -> Bool {
        let (a, b) = (tree.nodes[Int(one)].total, tree.nodes[Int(other)].total)
        return a != b ? a > b : one < other
    }

    private func element(_ box: Box, bottom: Double) -> String {
        let node = tree.nodes[box.node], height = Self.rowHeight - 1
        let (x, width) = (SVGText.fixed(Self.margin + box.start, 2), SVGText.fixed(max(box.width - 0.5, 0.1), 2))
        let y = SVGText.fixed(bottom - Double(box.depth + 1) * Self.rowHeight, 0)
        let look =
            box.node == 0
            ? "all" : isDifference ? "change\(Self.change(node))" : look(tree.functions[Int(node.function)])
        let size = "width=\"\(width)\" height=\"\(Int(height))\""
        // An inner svg element cuts off what is too long, whatever the font.
        var text = "<svg x=\"\(x)\" y=\"\(y)\" \(size)><title>\(description(box))</title>"
        text += "<rect class=\"\(look)\" \(size)/>"
        if box.node > 0, let pattern = pattern(tree.functions[Int(node.function)]) {
            text += "<rect fill=\"url(#\(pattern))\" \(size)/>"
        }
        if node.waiting > 0, node.waiting < node.total || tree.nodes[0].waiting < tree.nodes[0].total {
            let share = max(box.width - 0.5, 0.1) * Double(node.waiting) / Double(node.total)
            text += "<rect class=\"waiting\" y=\"15\" width=\"\(SVGText.fixed(share, 2))\" height=\"2\"/>"
        }
        if box.width >= Self.leastLabelledWidth {
            let room = Int((box.width - 8) / Self.letterWidth)
            text += "<text x=\"4\" y=\"12\">\(SVGText.escaped(SVGText.shortened(name(box.node), room)))</text>"
        }
        return text + "</svg>\n"
    }

    private func name(_ node: Int) -> String {
        if node == 0 { return "all" }
        let function = tree.functions[Int(tree.nodes[node].function)]
        return function.marks.contains(FlameTree.truncatedMark) ? "[truncated]" : profile.names[function.name]
    }

    /// What the tooltip says.
    private func description(_ box: Box) -> String {
        let node = tree.nodes[box.node]
        var lines = [SVGText.shortened(name(box.node), 1000)]
        let percent = 100 * Double(node.total) / Double(tree.nodes[0].total)
        lines.append("\(node.total) \(profile.unit.rawValue), \(SVGText.fixed(percent, 2)) %")
        if isDifference {
            let old = 100 * Double(node.old) / Double(max(1, tree.nodes[0].old))
            let sign = percent < old ? "" : "+"
            lines.append("before \(SVGText.fixed(old, 2)) %: \(sign)\(SVGText.fixed(percent - old, 2)) points")
        }
        guard box.node > 0 else { return Self.joined(lines) }
        if node.own > 0 { lines.append("self \(node.own)") }
        let function = tree.functions[Int(node.function)]
        if let module = function.module {
            lines.append(SVGText.shortened(profile.names[profile.modules[Int(module)].path], 1000))
        }
        if let kind = SVGStyle.kinds.first(where: { $0.name == pattern(function) ?? look(function) }) {
            lines.append(kind.description)
        }
        return Self.joined(lines)
    }

    private static func joined(_ lines: [String]) -> String {
        lines.map(SVGText.escaped).joined(separator: "\n")
    }

    /// The class of a box.
    private func look(_ function: FlameTree.Function) -> String {
        if let pattern = pattern(function), pattern != "inlined" { return pattern }
        if function.marks.contains(.kernel) { return "kernel" }
        return "user\(shade(function))"
    }

    /// A shade for each module.
    private func shade(_ function: FlameTree.Function) -> Int {
        guard let module = function.module else { return 0 }
        let path = profile.names[profile.modules[Int(module)].path].utf8.suffix(64)
        return Int(path.reduce(UInt32(5381)) { $0 &* 33 &+ UInt32($1) } % UInt32(SVGStyle.shades))
    }

    private func pattern(_ function: FlameTree.Function) -> String? {
        let marks = function.marks
        if marks.contains(FlameTree.truncatedMark) { return "truncated" }
        if marks.contains(.unchecked) { return "unchecked" }
        if marks.contains(.guessed) { return "guessed" }
        if marks.contains(.finished) { return "finished" }
        if marks.contains(.inferred) { return "inferred" }
        return marks.contains(.inlined) && !marks.contains(.kernel) ? "inlined" : nil
    }

    /// How much of a box is new, or gone: from -``SVGStyle/changes`` to as many.
    private static func change(_ node: FlameTree.Node) -> Int {
        let larger = Double(max(node.total, node.old))
        guard larger > 0 else { return 0 }
        return Int((Double(SVGStyle.changes) * (Double(node.total) - Double(node.old)) / larger).rounded())
    }

    /// The colours of changes, and patterns if there are any.
    private func legend(y: Double, leftOut: Int) -> String {
        var text = "", x = Int(Self.margin)
        if isDifference {
            for (change, words) in [
                (SVGStyle.changes, "more than before"), (0, "as before"), (-SVGStyle.changes, "less"),
            ] {
                text += "<rect class=\"change\(change)\" x=\"\(x)\" y=\"\(Int(y) - 10)\" width=\"24\" height=\"12\"/>"
                text += "<text class=\"quiet\" x=\"\(x + 29)\" y=\"\(Int(y))\">\(words)</text>\n"
                x += 45 + words.utf8.count * 6
            }
        }
        var kinds = Set(tree.functions.compactMap { isDifference ? pattern($0) : pattern($0) ?? look($0) })
        if kinds.contains(where: { $0.hasPrefix("user") }) { kinds.insert("user") }
        if tree.nodes[0].waiting > 0 { kinds.insert("waiting") }
        for kind in SVGStyle.kinds where kinds.contains(kind.name) {
            let look = kind.name == "user" || kind.name == "inlined" ? "user3" : kind.name
            text += "<rect class=\"\(look)\" x=\"\(x)\" y=\"\(Int(y) - 10)\" width=\"24\" height=\"12\"/>"
            if SVGStyle.patterns.contains(kind.name) {
                text += "<rect fill=\"url(#\(kind.name))\" x=\"\(x)\" y=\"\(Int(y) - 10)\" width=\"24\" height=\"12\"/>"
            }
            text += "<text class=\"quiet\" x=\"\(x + 29)\" y=\"\(Int(y))\">\(kind.description)</text>\n"
            x += 45 + kind.description.utf8.count * 6
        }
        guard leftOut > 0, tree.nodes[0].total > 0 else { return text }
        let right = Int(Self.margin + Self.width)
        return text
            + "<text class=\"quiet\" x=\"\(right)\" y=\"46\" text-anchor=\"end\">\(leftOut) boxes narrower than "
            + "\(Self.leastWidth) pixels are not drawn</text>\n"
    }
}
