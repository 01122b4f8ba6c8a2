import KernelUnwinder
import ProfileFormats
import Symbols

/// What a live view looks like on a screen of a certain size.
package struct LivePicture {
    package enum Style: Sendable, Equatable {
        case plain, bold, dim, user, kernel, guessed, inlined, truncated, selected
    }

    package struct Piece: Equatable, Sendable {
        package var row: Int
        package var column: Int
        package var text: String
        package var style: Style
    }

    package private(set) var pieces: [Piece] = []
    private let rows: Int
    private let columns: Int

    /// Rows of the table of functions, with its heading.
    private var tableRows: Int { max(0, min(13, (rows - 4) / 2)) }

    package init(_ model: LiveModel, rows: Int, columns: Int) {
        (self.rows, self.columns) = (rows, columns)
        put(0, 0, Self.heading(model), .bold)
        put(1, 0, selection(model), .plain)
        drawGraph(model, from: 2, to: rows - 1 - tableRows)
        drawTable(model, from: rows - 1 - tableRows)
        let keys = "arrows: move  enter: zoom in  backspace: out  s: sort  p: pause  q: quit"
        put(rows - 1, 0, model.isPaused ? "PAUSED  " + keys : keys, .dim)
    }

    private mutating func put(_ row: Int, _ column: Int, _ text: String, _ style: Style) {
        guard row >= 0, row < rows, column < columns else { return }
        pieces.append(Piece(row: row, column: column, text: String(text.prefix(columns - column)), style: style))
    }

    private static func heading(_ model: LiveModel) -> String {
        let status = model.status
        let memory = [
            status.kernelMemory.map { "kernel \(bytes($0))" }, status.residentMemory.map { "cfic \(bytes($0))" },
        ]
        .compactMap { $0 }.joined(separator: ", ")
        let outcomes = [StackOutcome.complete, .guessed, .truncated].map {
            "\(percent(model.share($0))) \($0.rawValue)"
        }
        let parts =
            [
                "cfic top, \(status.title)",
                "\(model.total.samples) samples in \(fixed(model.profile.seconds)) s", outcomes.joined(separator: ", "),
            ] + (memory.isEmpty ? [] : [memory])
        return parts.joined(separator: " | ")
    }

    private func selection(_ model: LiveModel) -> String {
        let node = model.tree.nodes[model.selection]
        let module = node.function.module.isEmpty ? "" : " (\(node.function.module))"
        return "\(share(node.total, model)) total, \(share(node.own, model)) self: \(node.function.name)\(module)"
    }

    // MARK: The graph

    /// The zoomed node fills the first row, its callees are below it, as wide as their share. What has less than a column is
    /// left out.
    private mutating func drawGraph(_ model: LiveModel, from first: Int, to end: Int) {
        struct Cell {
            var node: Int
            var row: Int
            var left: Double
        }
        let nodes = model.tree.nodes
        guard nodes[model.zoom].total > 0, columns > 0 else { return }
        let scale = Double(columns) / nodes[model.zoom].total
        var pending = [Cell(node: model.zoom, row: first, left: 0)]
        while let cell = pending.popLast() {
            guard cell.row < end else { continue }
            let node = nodes[cell.node]
            let (left, right) = (Int(cell.left.rounded()), Int((cell.left + node.total * scale).rounded()))
            guard right > left else { continue }
            // A column between neighbours, if there is room.
            let width = right - left > 1 && right < columns ? right - left - 1 : right - left
            let text = node.function.name.prefix(width)
            let style = cell.node == model.selection ? Style.selected : Self.style(of: node.function.kind)
            put(cell.row, left, text + String(repeating: " ", count: width - text.count), style)
            var child = cell.left
            for number in node.children {
                pending.append(Cell(node: number, row: cell.row + 1, left: child))
                child += nodes[number].total * scale
            }
        }
    }

    private static func style(of kind: LiveTree.Kind) -> Style {
        switch kind {
        case .all, .thread, .user: .user
        case .kernel: .kernel
        case .guessed: .guessed
        case .inlined: .inlined
        case .truncated: .truncated
        }
    }

    // MARK: The table

    private mutating func drawTable(_ model: LiveModel, from row: Int) {
        guard tableRows > 1 else { return }
        put(row, 0, "    SELF   TOTAL  FUNCTION", .bold)
        for (index, entry) in model.hottest(tableRows - 1).enumerated() {
            let module = entry.module.split(separator: "/").last.map { " (\($0))" } ?? ""
            let shares = padded(share(entry.own, model), 8) + padded(share(entry.total, model), 8)
            put(row + 1 + index, 0, shares + "  " + PrintableText.of(entry.name + module), .plain)
        }
    }

    private func share(_ weight: Double, _ model: LiveModel) -> String {
        Self.percent(model.total.total > 0 ? weight / model.total.total : 0)
    }

    private func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    // MARK: Numbers

    private static func percent(_ share: Double) -> String { fixed(share * 100) + " %" }

    /// With one decimal place.
    private static func fixed(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    private static func bytes(_ count: Int) -> String { fixed(Double(count) / 1_048_576) + " MiB" }
}
