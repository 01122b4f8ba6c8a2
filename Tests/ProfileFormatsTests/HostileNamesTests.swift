import Chromium
import Files
import Foundation
import FoundationXML
import ProfileFormats
import Testing

/// Names of functions, threads and files are chosen by whoever is profiled.
@Suite struct HostileNamesTests {
    private typealias Frame = MadeProfile.Frame

    /// Each with how it is shown.
    private static let names: [(name: String, shown: String)] = [
        ("</script><script>document.title = 'taken'</script>", "</script><script>document.title = 'taken'</script>"),
        ("<!--<script>", "<!--<script>"),
        ("\"><img src=x onerror=\"document.title='taken'\">", "\"><img src=x onerror=\"document.title='taken'\">"),
        ("]]></text><script href='data:text/javascript,1'/>", "]]></text><script href='data:text/javascript,1'/>"),
        ("a'b\"c\\d&lt;&amp;`${document.title = 'taken'}`", "a'b\"c\\d&lt;&amp;`${document.title = 'taken'}`"),
        ("{{data}}", "{{data}}"),
        ("\u{1}\u{1b}[31m\r\n\tred\u{7f}", "\\x01\\x1b[31m\\x0d\\x0a\\x09red\\x7f"),
        ("left\u{202e}right\u{2028}next", "left\\u202eright\\u2028next"),
        ("\u{fffe}\u{ffff}\0end", "\u{fffe}\u{ffff}\\x00end"),
        (String(path: [0x61, 0xff, 0xc3]), "a\\xff\\xc3"),
        ("__proto__", "__proto__"), ("", ""),
        ("näme 名前 🙂", "näme 名前 🙂"),
    ]

    private static let long = String(repeating: "long<", count: 200_000)

    /// All in one stack, also as names of threads, modules and source files.
    private static var profile: MadeProfile {
        var made = MadeProfile(event: names[0].name)
        for (name, _) in names {
            var frame = Frame(name, module: name)
            (frame.file, frame.line) = (name, 1)
            made.add(["main", frame], 5, thread: name, cgroup: name)
        }
        made.add([Frame(long, module: long)], 100, thread: long)
        return made
    }

    @Test(.enabled(if: Chromium.path != nil, "\(Chromium.need)"), .timeLimit(.minutes(30)))
    func pageShowsThemAndRunsNothing() throws {
        let page = try OpenPage(Self.profile.html, isDark: false)
        let title = "Flame graph of \(Self.names[0].shown)"
        #expect(try page.browser.evaluate("document.title") == title)
        #expect(try page.browser.evaluate("document.scripts.length") == 2)
        #expect(try page.browser.evaluate("document.images.length") == 0)
        let shown = Set(try page.texts("tbody button"))
        for (_, name) in Self.names { #expect(shown.contains(name), "\(name)") }
        // Whole in the page, and cut where it is shown.
        #expect(try page.browser.evaluate("page.profile.names.some(name => name.length === 1000000)"))
        #expect(shown.contains(Self.long.prefix(1000) + "…"))
        try page.choose("group", "thread")
        #expect(
            Set(try page.children("all").map { $0.components(separatedBy: " ").dropLast().joined(separator: " ") })
                .isSuperset(of: Self.names.map(\.shown).filter { !$0.isEmpty }))
        try page.search("taken")
        #expect(try page.text("result").hasPrefix("Matches: "))
        #expect(try page.browser.evaluate("document.title") == title)
        #expect(page.complaints == [])
        #expect(page.browser.requests.filter { !$0.hasPrefix("file:///") } == [])
        #expect(page.browser.requests.count == 1)
    }

    /// Even a script that got into the page would not run, nor reach anything.
    @Test(.enabled(if: Chromium.path != nil, "\(Chromium.need)"), .timeLimit(.minutes(30)))
    func policyForbidsAllElse() throws {
        let page = try OpenPage(Self.profile.html, isDark: false)
        let ran: Bool = try page.browser.evaluate(
            """
            (() => {
              for (const [name, text] of [['script', 'window.ran = true'], ['style', 'body { color: red }']]) {
                const element = document.createElement(name);
                element.textContent = text;
                document.body.append(element);
              }
              return window.ran === true || getComputedStyle(document.body).color === 'rgb(255, 0, 0)';
            })()
            """)
        #expect(!ran)
        let reached: String = try page.browser.evaluate(
            "fetch('data:text/plain,x').then(() => 'reached', () => 'refused')")
        #expect(reached == "refused")
        let shown: String = try page.browser.evaluate(
            """
            new Promise(done => {
              document.addEventListener('securitypolicyviolation', event => done(event.effectiveDirective));
              const image = document.createElement('img');
              image.onload = () => done('loaded');
              image.src = 'data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7';
              document.body.append(image);
            })
            """)
        #expect(shown == "img-src")
    }

    @Test func pictureIsWellFormedAndHasNoScript() throws {
        let svg = SVGContent(Self.profile.svg)
        #expect(svg.problem == nil)
        #expect(Set(svg.elements.keys) == ["svg", "title", "style", "defs", "pattern", "path", "rect", "text"])
        let titles = Set(svg.titles.map { $0.split(separator: "\n", omittingEmptySubsequences: false)[0] })
        for (name, shown) in Self.names where name != "\u{fffe}\u{ffff}\0end" {
            #expect(titles.contains(shown[...]), "\(shown)")
        }
        #expect(titles.contains("\\ufffe\\uffff\\x00end"))
        #expect(titles.contains((Self.long.prefix(1000) + "…")[...]))
    }
}

/// What an SVG picture has in it.
final class SVGContent: NSObject, XMLParserDelegate {
    private(set) var elements: [String: Int] = [:]
    /// Of boxes, in order.
    private(set) var titles: [String] = []
    /// Of boxes, in order: x, y, width.
    private(set) var boxes: [[Double]] = []
    private(set) var texts: [String] = []
    private(set) var problem: (any Error)?
    private var text = ""
    private var depth = 0

    init(_ svg: String) {
        super.init()
        let parser = XMLParser(data: Data(svg.utf8))
        parser.delegate = self
        if !parser.parse() { problem = parser.parserError ?? CocoaError(.coderReadCorrupt) }
    }

    func parser(
        _ parser: XMLParser, didStartElement element: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String]
    ) {
        elements[element, default: 0] += 1
        text = ""
        guard element == "svg" else { return }
        depth += 1
        if depth == 2 { boxes.append(["x", "y", "width"].map { attributes[$0].flatMap(Double.init) ?? .nan }) }
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }

    func parser(
        _ parser: XMLParser, didEndElement element: String, namespaceURI: String?, qualifiedName: String?
    ) {
        switch element {
        case "svg": depth -= 1
        case "title" where depth == 2: titles.append(text)
        case "text": texts.append(text)
        default: break
        }
    }
}
