import Chromium
import Foundation
import Testing

/// The page that `cfic report NEW --diff OLD -o x.html` writes, in a browser.
@Suite(.enabled(if: Chromium.path != nil, "\(Chromium.need)"), .serialized, .timeLimit(.minutes(30)))
struct DifferencePageTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    /// Of twice as many samples, `hash` has a third of its earlier share, `wait` five times as much.
    private func page(isDark: Bool = false) throws -> OpenPage {
        try place.write(Array("t;m;work;hash 60\nt;m;wait 10\nt;m;same 20\nt;m;gone 10\n".utf8), to: "old.folded")
        try place.write(Array("t;m;work;hash 40\nt;m;wait 100\nt;m;same 40\nt;m;added 20\n".utf8), to: "new.folded")
        let outcome = try place.cfic("report", "new.folded", "--diff", "old.folded", "-o", "x.html")
        guard outcome.code == 0 else { throw TestFailure(outcome.diagnostics) }
        let html = String(decoding: try place.bytes("\(place.directory)/x.html"), as: UTF8.self)
        return try OpenPage(html, isDark: isDark)
    }

    @Test(arguments: [false, true]) func coloursTellWhatHasChanged(isDark: Bool) throws {
        let page = try page(isDark: isDark)
        for (name, now, before) in [
            ("work", 40, 120), ("hash", 40, 120), ("wait", 100, 20), ("same", 40, 40), ("added", 20, 0),
            ("m", 200, 200),
        ] {
            let colour = try page.colour(name)
            #expect(try colour == page.rgb("new Colours(\(isDark)).change(\(now), \(before))"), "\(name)")
            // Red for more, blue for less, grey for the same.
            let (red, blue) = (colour[0], colour[2])
            #expect((red > blue, red < blue) == (now > before, now < before), "\(name): \(colour)")
        }
        let legend = try page.texts("#legend li").map { $0.trimmingCharacters(in: .whitespaces) }
        #expect(legend == ["more than before", "as before", "less"])
        #expect(page.complaints == [])
    }

    @Test func changesAreInWords() throws {
        let page = try page()
        for (name, words) in [
            ("work", "before 60.00 %: −40.00 points"), ("wait", "before 10.00 %: +40.00 points"),
            ("same", "before 20.00 %: +0.00 points"), ("added", "before 0.00 %: +10.00 points"),
        ] {
            let description = try page.description(name)
            #expect(description.contains(words), "\(name): \(description)")
        }
    }

    @Test func clickZoomsAndColoursStay() throws {
        let page = try page()
        let colour = try page.colour("hash")
        try page.click("work")
        #expect(try page.texts("#path button") == ["all", "m", "work"])
        #expect(try page.width("work") == page.width("m"))
        #expect(try page.text("caption") == "3 functions in work, 40 samples")
        #expect(try page.colour("hash") == colour)
        try page.browser.press("Escape")
        #expect(try page.text("path") == "all")
        #expect(page.complaints == [])
    }

    @Test func searchColoursMatchesInPlaceOfChanges() throws {
        let page = try page()
        let changed = try page.colour("wait")
        try page.search("wait")
        #expect(try page.text("result") == "Matches: 50.0 % of all, 100 samples · 1 function")
        #expect(try page.colour("wait") == page.rgb("new Colours(false).match"))
        #expect(try page.colour("work") == page.rgb("new Colours(false).faded"))
        try page.browser.press("Escape")
        #expect(try page.colour("wait") == changed)
        #expect(page.complaints == [])
    }
}
