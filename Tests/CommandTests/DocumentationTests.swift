import Foundation
import Testing

/// `make docs`: the documentation of the Swift API.
@Suite(.timeLimit(.minutes(30))) struct DocumentationTests {
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

    /// The API is what its readers can look up: no C type, nothing of a module that is in no product, and a comment at
    /// every declaration.
    @Test func everyPublicDeclarationIsDocumented() throws {
        let build = (try Workplace.program() as NSString).deletingLastPathComponent
        #expect(try place.shell("'\(Self.project)/scripts/docs.sh' '\(build)' docs").code == 0)
        let graphs = try FileManager.default.contentsOfDirectory(atPath: "\(place.directory)/docs.symbols")
        let modules = Set(graphs.compactMap { $0.split(separator: ".").first.map(String.init) })
        var problems: [String] = []
        var count = 0
        for graph in graphs {
            let content = try Data(contentsOf: URL(fileURLWithPath: "\(place.directory)/docs.symbols/\(graph)"))
            for symbol in try JSONDecoder().decode(SymbolGraph.self, from: content).symbols {
                count += 1
                let name = "\(graph): \(symbol.pathComponents.joined(separator: "."))"
                if symbol.docComment == nil { problems.append("\(name) has no comment") }
                for type in symbol.declarationFragments ?? [] where !type.isPublic(in: modules) {
                    problems.append("\(name) has the type \(type.spelling)")
                }
            }
        }
        #expect(count > 400 && problems.isEmpty, "\(problems.joined(separator: "\n"))")
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

/// What the compiler writes of a module's public declarations; as far as tests read it.
private struct SymbolGraph: Decodable {
    struct Symbol: Decodable {
        struct Comment: Decodable {}

        var pathComponents: [String]
        var docComment: Comment?
        var declarationFragments: [Fragment]?
    }

    struct Fragment: Decodable {
        var spelling: String
        /// Of what the fragment names: `s:` and a mangled name in Swift, `c:` in C.
        var preciseIdentifier: String?

        /// Whether it names nothing, or something of Swift's libraries or of these modules.
        func isPublic(in modules: Set<String>) -> Bool {
            guard let identifier = preciseIdentifier else { return true }
            guard identifier.hasPrefix("s:") else { return false }
            // A length and a module's name; the standard library has a letter, but for its clocks and tasks.
            let rest = identifier.dropFirst(2)
            guard let length = Int(rest.prefix { $0.isNumber }) else { return true }
            let module = rest.drop { $0.isNumber }.prefix(length)
            return module == "_Concurrency" || modules.contains(String(module))
        }
    }

    var symbols: [Symbol]
}
