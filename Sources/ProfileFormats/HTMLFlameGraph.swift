import Files
import FlameGraphPage
import KernelUnwinder
import Symbols

/// A flame graph as one page, which needs no other file and no network: docs/flame-graph.md.
///
/// Names may contain anything. They are made printable, are in JSON that can't end its element, and the page's policy lets
/// no script run but its own.
public struct HTMLFlameGraph {
    private let profile: NamedProfile
    private let tree: FlameTree
    /// The weights in an earlier profile, by stack, if two are compared.
    private let old: [Double]

    /// The flame graph of a profile.
    public init(_ profile: NamedProfile) {
        (self.profile, old) = (profile, [])
        tree = FlameTree(profile)
    }

    /// The flame graph of the later of two profiles, whose colours show what has changed.
    public init(_ difference: ProfileDifference) {
        (profile, old) = (difference.profile, difference.old)
        tree = FlameTree(profile, old: old)
    }

    /// Writes the page in pieces.
    public func write(to output: inout some ByteSink) {
        var page = FlameGraphPage.pieces[...]
        while let piece = page.popFirst() {
            switch piece {
            case .text(let text): text.withUnsafeBytes { output.write($0) }
            case .title: output.write(Self.escaped(title))
            case .data: writeData(to: &output)
            }
        }
    }

    private var title: String {
        PrintableText.of(profile.event.isEmpty ? "Flame graph of waits" : "Flame graph of \(profile.event)")
    }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { escaped, character in
            switch character {
            case "<": escaped += "&lt;"
            case "&": escaped += "&amp;"
            default: escaped.append(character)
            }
        }
    }

    private func writeData(to output: inout some ByteSink) {
        var data = FlameData(profile, old: old)
        data.write(tree, to: &output)
    }
}
