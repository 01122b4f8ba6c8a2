import ProfileFormats
import Testing

/// Flame graphs as pictures.
@Suite struct SVGFlameGraphTests {
    private typealias Frame = MadeProfile.Frame

    @Test func widthsAreShares() {
        var made = MadeProfile()
        made.add(["main", "work", "hash"], 60)
        made.add(["main", "work"], 10)
        made.add(["main", Frame("read", .kernel, module: "[kernel]")], 20)
        made.add(["lost"], 10, outcome: .truncated)
        let svg = SVGContent(made.svg)
        let widths = Dictionary(
            uniqueKeysWithValues: zip(svg.titles.map { $0.prefix { $0 != "\n" } }, svg.boxes.map { $0[2] }))
        // Half a pixel is left between boxes.
        #expect(
            widths == [
                "all": 1199.5, "main": 1079.5, "work": 839.5, "hash": 719.5, "read": 239.5, "[truncated]": 119.5,
                "lost": 119.5,
            ])
        #expect(svg.titles.contains("hash\n60 samples, 60.00 %\nself 60\n/bin/program"))
        #expect(svg.titles.contains("read\n20 samples, 20.00 %\nself 20\n[kernel]\nkernel"))
        #expect(svg.texts.contains("hash") && !svg.texts.contains { $0.contains("not drawn") })
        // Boxes are above their callers, and begin where these begin.
        let places = Dictionary(uniqueKeysWithValues: zip(svg.titles.map { $0.prefix { $0 != "\n" } }, svg.boxes))
        #expect(places["hash"]![1] == places["work"]![1] - 18 && places["hash"]![0] == places["main"]![0])
    }

    @Test func sharesAreThoseOfFoldedLines() {
        let lines = FoldedLines.random(40)
        let svg = SVGContent(MadeProfile(folded: lines).svg)
        let total = FoldedLines.sums(lines).total
        for (title, box) in zip(svg.titles, svg.boxes) {
            let samples = Double(title.split(separator: "\n")[1].prefix { $0 != " " })!
            #expect(abs(box[2] + 0.5 - 1200 * samples / Double(total)) < 0.011, "\(title)")
        }
        let own = svg.titles.compactMap { title in title.split(separator: "\n").first { $0.hasPrefix("self ") } }
        #expect(own.map { Int($0.dropFirst(5))! }.reduce(0, +) == total)
    }

    @Test func narrowBoxesAreLeftOutAndCounted() {
        var made = MadeProfile()
        made.add(["main"], 1_000_000)
        for number in 0..<7 { made.add(["main", Frame("rare\(number)"), "deep"], 1) }
        let svg = SVGContent(made.svg)
        #expect(svg.boxes.count == 2)
        #expect(svg.texts.contains("14 boxes narrower than 0.1 pixels are not drawn"))
    }

    @Test func legendHasWhatOccurs() {
        var made = MadeProfile(.nanoseconds)
        made.add(["a", Frame("b", .guessed), Frame("c", .inferred)], 1, weight: 5)
        made.add(["a"], 1, weight: 5, isWaiting: true)
        let texts = SVGContent(made.svg).texts
        #expect(
            texts.suffix(4) == [
                "user code, a shade per module", "guessed", "found by an inferred rule", "the part of it that waits",
            ])
        #expect(made.svg.contains("<rect fill=\"url(#inferred)\""))
        #expect(made.svg.contains("<rect fill=\"url(#guessed)\""))
        #expect(made.svg.contains("<rect class=\"waiting\" y=\"15\""))
    }

    @Test func nothingIsSaid() {
        let svg = SVGContent(MadeProfile().svg)
        #expect(svg.problem == nil && svg.boxes.isEmpty && svg.texts.contains("no samples"))
    }
}
