import Foundation

/// The page of a flame graph in a browser.
package final class OpenPage {
    package let browser: Chromium
    private let directory: URL

    /// - Parameter isDrawn: whether there is something to draw, which this waits for.
    package init(_ html: String, isDark: Bool, isDrawn: Bool = true) throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "cfic-page-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let file = directory.appending(path: "profile.html")
        try Data(html.utf8).write(to: file)
        browser = try Chromium(isDark: isDark)
        try browser.open(file.path)
        if isDrawn { try drawn() }
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    /// What the browser complained of: exceptions, violations of the policy.
    package var complaints: [String] { browser.complaints }

    /// Waits until what was changed is drawn.
    package func drawn() throws {
        let frames = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
        try browser.evaluate(frames, as: Bool.self)
    }

    package func text(_ id: String) throws -> String {
        try browser.evaluate("document.getElementById('\(id)').textContent")
    }

    package func texts(_ selector: String) throws -> [String] {
        try browser.evaluate("[...document.querySelectorAll('\(selector)')].map(element => element.textContent)")
    }

    /// The visible rows: self, total, name.
    package func table() throws -> [[String]] {
        try browser.evaluate(
            "[...document.querySelectorAll('tbody tr')].map(row => [row.cells[0].textContent, row.cells[1].textContent, "
                + "row.querySelector('button').textContent])")
    }

    /// All rows' weights by name, after pressing "more" until there are no more.
    package func wholeTable() throws -> [String: [Int]] {
        let rows: [[String]] = try browser.evaluate(
            """
            (() => {
              const more = document.getElementById('more');
              while (!more.hidden) more.click();
              return [...document.querySelectorAll('tbody tr')].map(row =>
                [row.cells[0].title, row.cells[1].title, row.querySelector('button').textContent]);
            })()
            """)
        func number(_ text: String) -> Int { Int(text.filter(\.isNumber)) ?? -1 }
        return Dictionary(
            rows.map { ($0[2], [number($0[0]), number($0[1])]) }, uniquingKeysWith: { first, _ in first + [-1] })
    }

    /// As the page writes numbers.
    package func grouped(_ number: Int) -> String {
        var digits = String(number), text = ""
        while digits.count > 3 {
            text = "," + digits.suffix(3) + text
            digits.removeLast(3)
        }
        return digits + text
    }

    package func choose(_ control: String, _ value: String) throws {
        try browser.evaluate(
            """
            (() => {
              const control = document.getElementById('\(control)');
              control.value = '\(value)';
              if (control.value !== '\(value)') throw new Error('no such choice');
              control.dispatchEvent(new Event('change'));
              return true;
            })()
            """, as: Bool.self)
        try drawn()
    }

    /// Replaces what is searched for, as a person types.
    package func search(_ text: String) throws {
        try browser.evaluate(
            "(() => { const s = document.getElementById('search'); s.focus(); s.select(); return true; })()",
            as: Bool.self)
        try browser.type(text)
        try drawn()
    }

    // MARK: Boxes

    /// An expression for the first box with a name.
    private func box(_ name: String) -> String {
        """
        (() => {
          const { graph } = page;
          for (const [depth, row] of graph.rows.entries()) for (let i = 0; i < row.boxes.length; i++) {
            if (row.boxes[i] < 0 || graph.tree.name(row.boxes[i]) !== \(quoted(name))) continue;
            return { box: row.boxes[i], x: row.starts[i], width: row.widths[i],
              y: graph.top(depth) - graph.scroller.scrollTop };
          }
          throw new Error('no box \(name)');
        })()
        """
    }

    private func quoted(_ text: String) -> String { "\"\(text)\"" }

    package func width(_ name: String) throws -> Double { try browser.evaluate("\(box(name)).width") }

    /// Clicks into the middle of a box.
    package func click(_ name: String) throws {
        let place: [Double] = try browser.evaluate(
            "(({ x, y, width }) => { const r = document.getElementById('graph').getBoundingClientRect(); "
                + "return [r.x + x + width / 2, r.y + y + 10]; })(\(box(name)))")
        try browser.click(x: place[0], y: place[1])
        try drawn()
    }

    /// Names and weights of what a box is below of, in the order from the left.
    package func children(_ name: String) throws -> [String] {
        try browser.evaluate(
            "page.graph.children(\(box(name)).box).map(box => `${page.graph.tree.name(box)} ${page.graph.tree.total[box]}`)"
        )
    }

    /// What the tooltip says of a box.
    package func description(_ name: String) throws -> [String] { try browser.evaluate("page.facts(\(box(name)).box)") }

    // MARK: Pixels

    /// Red, green and blue of the pixels of a box's upper right part, where no name is.
    private func pixels(_ name: String) throws -> [[Int]] {
        try drawn()
        let bytes: [Int] = try browser.evaluate(
            "(({ x, y, width }) => Array.from(document.getElementById('graph').getContext('2d')"
                + ".getImageData(Math.floor(x + width) - 28, y + 3, 24, 14).data))(\(box(name)))")
        return stride(from: 0, to: bytes.count, by: 4).map { Array(bytes[$0..<$0 + 3]) }
    }

    package func colours(_ name: String) throws -> Set<[Int]> { Set(try pixels(name)) }

    /// The most frequent one.
    package func colour(_ name: String) throws -> [Int] {
        let counts = Dictionary(try pixels(name).map { ($0, 1) }, uniquingKeysWith: +)
        return counts.max { $0.value < $1.value }?.key ?? []
    }

    package func colourOfEmptySpace() throws -> [Int] {
        try drawn()
        return try browser.evaluate(
            "Array.from(document.getElementById('graph').getContext('2d').getImageData(5, 5, 1, 1).data.slice(0, 3))")
    }

    /// Red, green and blue of an expression that is a colour in CSS.
    package func rgb(_ expression: String) throws -> [Int] {
        let text: String = try browser.evaluate(
            """
            (() => {
              const context = document.createElement('canvas').getContext('2d');
              context.fillStyle = \(expression);
              return context.fillStyle;
            })()
            """)
        let number = Int(text.dropFirst(), radix: 16) ?? -1
        return [number >> 16, number >> 8 & 255, number & 255]
    }
}
