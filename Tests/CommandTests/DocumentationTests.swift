import Foundation
import Testing

/// `make docs`: the documentation of the Swift API.
@Suite(.timeLimit(.minutes(2))) struct DocumentationTests {
    private static let project = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
    private let place: Workplace

    init() throws { place = try Workplace() }

    /// Documents the modules of the test build. `make docs` builds a release first, which takes minutes.
    @Test func documentationIsMadeWithoutWarnings() throws {
        let build = (try Workplace.program() as NSString).deletingLastPathComponent
        let outcome = try place.shell("'\(Self.project)/scripts/docs.sh' '\(build)' docs")
        try #require(outcome.code == 0, "\(outcome.output)\(outcome.diagnostics)")
        let files = try place.shell("cd docs/data/documentation; ls *.json */reading-tables.json").output
        for page in ["api", "api/reading-tables", "unwindtable", "tablecompiler", "kernelunwinder"] {
            #expect(files.contains("\(page).json\n"), "\(page)")
        }
    }

    @Test(arguments: [
        ("reader", "Reading-tables"), ("compile", "Compiling-tables"), ("profiler", "Unwinding-stacks"),
        ("recording", "Unwinding-stacks"),
    ])
    func articleShowsTheExample(_ example: String, _ article: String) throws {
        let text = try String(contentsOfFile: "\(Self.project)/docs/swift/API.docc/\(article).md", encoding: .utf8)
        let code = try String(contentsOfFile: "\(Self.project)/examples/\(example)/main.swift", encoding: .utf8)
        #expect(text.contains("```swift\n\(code)```\n"))
    }
}
