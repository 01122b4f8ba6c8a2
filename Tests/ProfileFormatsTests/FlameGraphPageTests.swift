import Chromium
import Files
import Foundation
@testable import ProfileFormats
import Testing

/// The page of a flame graph in a browser, as people use it.
@Suite(.enabled(if: Chromium.path != nil, "\(Chromium.need)"), .serialized, .timeLimit(.minutes(30)))
struct FlameGraphPageTests {
    private typealias Frame = MadeProfile.Frame

    /// Opens the page of a profile, and waits until it is drawn.
    private func open(_ made: MadeProfile, isDark: Bool = false) throws -> OpenPage {
        try OpenPage(made.html, isDark: isDark)
    }

    /// Two threads; main calls work, of which most is in hash, and wait, which is in the kernel.
    private var small: MadeProfile {
        var made = MadeProfile()
        made.add(["main", "work", "hash"], 60, thread: "one", process: 1, cgroup: "/a")
        made.add(["main", "work"], 10, thread: "one", process: 1, cgroup: "/a")
        made.add(["main", "wait", Frame("sys_read", .kernel, module: "[kernel]")], 20, thread: "two", cgroup: "/b")
        made.add(["lost"], 10, thread: "two", cgroup: "/b", outcome: .truncated)
        return made
    }

    @Test func tableAndSearchAgreeWithSumsOfFoldedLines() throws {
        let lines = FoldedLines.random(400)
        let page = try open(MadeProfile(folded: lines))
        let sums = FoldedLines.sums(lines)
        #expect(try page.wholeTable() == sums.functions)
        for text in ["f1", "f2", "g", "nothing has this"] {
            try page.search(text)
            let share = FoldedLines.weight(lines) { $0.contains(text) }
            let expected = "\(share == 0 ? "0" : page.grouped(share)) samples"
            #expect(try page.text("result").contains(" \(expected) ·"), "\(text): \(share)")
        }
        #expect(page.complaints == [])
    }

    @Test func clickZoomsAndEscapeReturns() throws {
        let page = try open(small)
        #expect(try page.text("path") == "all")
        try page.click("work")
        #expect(try page.texts("#path button") == ["all", "main", "work"])
        #expect(try page.text("caption") == "3 functions in work, 70 samples")
        #expect(
            try page.table() == [
                ["85.7 %", "85.7 %", "hash"], ["14.3 %", "100 %", "work"], ["0 %", "100 %", "main"],
            ])
        // It fills the width now, and so does its caller.
        #expect(try page.width("work") == page.width("main"))
        try page.click("hash")
        #expect(try page.text("path") == "allmainworkhash")
        try page.browser.press("Escape")
        #expect(try page.text("path") == "allmainwork")
        try page.browser.press("Escape")
        #expect(try page.text("path") == "all")
        #expect(try page.table().count == 7)
    }

    @Test func searchTellsTheShareAndColoursMatches() throws {
        let invalid = "document.getElementById('search').getAttribute('aria-invalid')"
        for isDark in [false, true] {
            let page = try open(small, isDark: isDark)
            try page.browser.press("/")
            try page.browser.type("HASH")
            #expect(try page.text("result") == "Matches: 60.0 % of all, 60 samples · 1 function")
            #expect(try page.table() == [["60.0 %", "60.0 %", "hash"]])
            let (match, other) = try (page.colour("hash"), page.colour("work"))
            let matchColour = try page.rgb("new Colours(\(isDark)).match")
            #expect(match == matchColour)
            #expect(try other == page.rgb("new Colours(\(isDark)).faded"))
            try page.search("/^(hash|wait)$/")
            #expect(try page.text("result") == "Matches: 80.0 % of all, 80 samples · 2 functions")
            try page.click("work")
            #expect(
                try page.text("result")
                    == "Matches: 80.0 % of all, 80 samples · 85.7 % of what is zoomed to · 2 functions")
            try page.search("/(/")
            #expect(try page.text("result").contains("Invalid regular expression"))
            #expect(try page.browser.evaluate(invalid) == "true")
            #expect(page.complaints == [])
        }
    }

    @Test func keysMoveAndZoom() throws {
        let page = try open(small)
        try page.browser.evaluate("document.getElementById('graph').focus(), true", as: Bool.self)
        #expect(try page.text("spoken").hasPrefix("all, 100 samples, 100 % of all, level 0, 2 callees"))
        for key in ["ArrowUp", "ArrowUp", "ArrowUp"] { try page.browser.press(key) }
        #expect(try page.text("spoken").hasPrefix("hash, 60 samples, 60.0 % of all, self 60 samples, 60.0 %"))
        try page.browser.press("ArrowRight")
        #expect(try page.text("spoken").hasPrefix("sys_read, 20 samples"))
        #expect(try page.text("spoken").contains("kernel"))
        try page.browser.press("ArrowDown")
        try page.browser.press("Enter")
        #expect(try page.text("path") == "allmainwait")
        try page.browser.press("Home")
        #expect(try page.text("path") == "all")
        try page.browser.press("Backspace")
        #expect(try page.text("path") == "allmainwait")
        try page.browser.press("?")
        #expect(try page.browser.evaluate("document.getElementById('help').open"))
        try page.browser.press("Escape")
        #expect(try page.browser.evaluate("!document.getElementById('help').open"))
        // Root on top: the arrows follow what is seen.
        try page.choose("view", "icicle")
        try page.browser.evaluate("document.getElementById('graph').focus(), true", as: Bool.self)
        try page.browser.press("ArrowDown")
        #expect(try page.text("spoken").hasPrefix("main, 90 samples"))
    }

    @Test func groupsAndModulesAndCallers() throws {
        let page = try open(small)
        for (group, names) in [
            ("thread", ["one 70", "two 30"]), ("process", ["process 1 70", "process 7 30"]),
            ("cgroup", ["/a 70", "/b 30"]),
            ("end", ["end-of-stack 90", "bad-frame-pointer 10"]),
        ] {
            try page.choose("group", group)
            #expect(try page.children("all") == names)
        }
        try page.choose("group", "thread")
        #expect(try page.children("two") == ["main 20", "[truncated] 10"])
        try page.choose("boxes", "modules")
        #expect(try page.children("two") == ["/bin/program 20", "[truncated] 10"])
        #expect(try page.children("one") == ["/bin/program 70"])
        #expect(try page.wholeTable() == ["/bin/program": [80, 100], "[kernel]": [20, 20], "[truncated]": [0, 10]])
        try page.choose("boxes", "functions")
        try page.choose("view", "callers")
        #expect(try page.children("all") == ["hash 60", "sys_read 20", "lost 10", "work 10"])
        #expect(try page.children("sys_read") == ["wait 20"])
        #expect(try page.children("lost") == ["[truncated] 10"])
        #expect(page.complaints == [])
    }

    @Test func orderByName() throws {
        let page = try open(small)
        #expect(try page.children("main") == ["work 70", "wait 20"])
        try page.choose("order", "name")
        #expect(try page.children("main") == ["wait 20", "work 70"])
    }

    @Test func runningAndWaitingAreToldApart() throws {
        var made = MadeProfile(.nanoseconds)
        made.profile.includesWaits = true
        made.add(["main", "work"], 1, weight: 1e9)
        made.add(["main", "lock"], 1, weight: 3e9, isWaiting: true)
        let page = try open(made)
        #expect(try page.children("main") == ["lock 3000000000", "work 1000000000"])
        #expect(try page.description("main").contains("75.0 % of it waiting"))
        try page.choose("state", "1")
        #expect(try page.children("main") == ["work 1000000000"])
        #expect(try page.text("caption") == "2 functions, 1.00 s")
        try page.choose("state", "3")
        try page.choose("group", "state")
        #expect(try page.children("all") == ["waiting (off-CPU) 3000000000", "running (on-CPU) 1000000000"])
    }

    /// Each has a colour, and those that aren't certain a pattern: pixels that differ from each other.
    @Test func marksHaveColoursAndPatterns() throws {
        var made = MadeProfile()
        let marks: [(String, NamedProfile.Marks)] = [
            ("user", []), ("inlined", .inlined), ("kernel", .kernel), ("guessed", .guessed),
            ("unchecked", [.guessed, .unchecked]), ("finished", .finished),
            ("inferred", .inferred),
        ]
        for (name, marks) in marks { made.add([Frame(name, marks)], 10) }
        made.add([], 10, outcome: .truncated)
        for isDark in [false, true] {
            let page = try open(made, isDark: isDark)
            let names = marks.map(\.0) + ["[truncated]"]
            let colours = try names.map { try page.colours($0) }
            for (name, colours) in zip(names, colours) {
                #expect((colours.count > 1) == !["user", "kernel"].contains(name), "\(name): \(colours)")
            }
            let fills = try names.map { try page.colour($0) }
            // Inlined frames have their module's colour.
            #expect(Set(fills).count == names.count - 1, "\(fills)")
            #expect(try page.texts("#legend li").count == names.count)
        }
    }

    @Test func screenReadersGetTableGraphAndControls() throws {
        let page = try open(small)
        let nodes = try page.browser.accessibleNodes()
        func has(_ role: String, _ name: String) -> Bool { nodes.contains { $0.role == role && $0.name == name } }
        #expect(has("columnheader", "Self") && has("columnheader", "Total") && has("columnheader", "Function"))
        #expect(nodes.contains { $0.role == "rowheader" && $0.name.hasPrefix("hash") })
        #expect(has("button", "hash") && has("searchbox", "Search") && has("combobox", "View"))
        #expect(nodes.contains { $0.role == "application" && $0.name.hasPrefix("Flame graph") })
        #expect(nodes.filter { $0.role == "row" }.count == 8)
    }

    @Test func darkAndLightFollowTheSystemAndTheButton() throws {
        let page = try open(small)
        let background = "getComputedStyle(document.body).backgroundColor"
        #expect(try page.browser.evaluate(background) == "rgb(255, 255, 255)")
        try page.browser.prefer(dark: true)
        try page.drawn()
        #expect(try page.browser.evaluate(background) == "rgb(22, 24, 28)")
        #expect(try page.colourOfEmptySpace() == [22, 24, 28])
        try page.browser.evaluate("document.getElementById('theme').click(), true", as: Bool.self)
        #expect(try page.browser.evaluate(background) == "rgb(255, 255, 255)")
    }

    @Test func nothingIsSaid() throws {
        let page = try OpenPage(MadeProfile().html, isDark: false, isDrawn: false)
        #expect(try page.browser.evaluate("document.getElementById('empty').checkVisibility()"))
        #expect(try page.browser.evaluate("!document.getElementById('main').checkVisibility()"))
        #expect(page.complaints == [])
    }
}
