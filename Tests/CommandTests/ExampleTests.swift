import Foundation
import TestFixtures
import Testing

/// The README's examples of the libraries are those in `examples/`, and they work.
@Suite(.timeLimit(.minutes(30))) struct ExampleTests {
    private static let project = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
    private let place: Workplace

    init() throws { place = try Workplace() }

    private func text(_ path: String) throws -> String {
        try String(contentsOfFile: "\(Self.project)/\(path)", encoding: .utf8)
    }

    @Test func readmeShowsTheExamples() throws {
        let readme = try text("README.md")
        for example in ["compile", "profiler"] {
            #expect(readme.contains("```swift\n\(try text("examples/\(example)/main.swift"))```\n"), "\(example)")
        }
        let function = try #require(readme.split(separator: "```c\n").dropFirst().first?.split(separator: "```").first)
        #expect(try text("examples/lookup/lookup.c").contains(function))
    }

    @Test func compilerInSwift() throws {
        let program = (try Workplace.program() as NSString).deletingLastPathComponent + "/example-compile"
        let lines = try place.shell("'\(program)'").output.split(separator: "\n")
        let rule = try place.shell(
            "cfic compile /bin/bash --cache c > /dev/null; cfic lookup /bin/bash 2feb8 --cache c")
        #expect(lines.count == 2 && lines.last.map { rule.output.contains("  \($0)\n") } == true, "\(lines) \(rule)")
    }

    @Test func readerInSwift() throws {
        let program = (try Workplace.program() as NSString).deletingLastPathComponent + "/example-reader"
        #expect(try place.shell("cfic compile /bin/bash").code == 0)
        let buildID = try #require(
            try place.shell("cfic compile /bin/bash --json").list("files")?.first?["key"] as? String)
        let found = try place.shell("'\(program)' \(buildID.prefix(8)) 2feb8")
        #expect(found.code == 0 && found.output.hasPrefix("CFA = "), "\(found)")
        #expect(try place.shell("cfic lookup \(buildID) 2feb8").output.contains("  \(found.output)"))
    }

    @Test(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"))
    func profilerInSwift() throws {
        let program = (try Workplace.program() as NSString).deletingLastPathComponent + "/example-profiler"
        // The child runs until samples of it have been printed.
        let outcome = try place.shell(
            """
            export CFIC_CACHE="$PWD/c"
            touch samples
            bash -c 'while [ ! -e seen ]; do :; done' & child=$!
            : > samples
            '\(program)' $child > samples & profiler=$!
            while kill -0 $profiler && [ $(wc -l < samples) -lt 20 ]; do sleep 0.1; done
            touch seen; wait $profiler; echo "code $?"
            """)
        #expect(outcome.output.hasSuffix("code 0\n"), "\(outcome)")
        let samples = try String(contentsOfFile: place.directory + "/samples", encoding: .utf8).split(separator: "\n")
        #expect(samples.count >= 20 && samples.allSatisfy { $0.hasPrefix("bash [") }, "\(samples.prefix(3))")
    }

    @Test(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"))
    func recordingInSwift() throws {
        let program = (try Workplace.program() as NSString).deletingLastPathComponent + "/example-recording"
        let outcome = try place.shell(
            "'\(program)' bash -c 'for ((i = 0; i < 1000000; i++)); do :; done; echo done >&2'")
        let lines = outcome.output.split(separator: "\n")
        #expect(outcome.code == 0 && outcome.diagnostics == "done\n", "\(outcome)")
        #expect(lines.contains { $0.hasPrefix("bash;") && $0.contains("__libc_start_main") }, "\(lines.prefix(3))")
    }

    @Test func lookupInC() throws {
        let include = "\(Self.project)/bpf/include"
        let source = "\(Self.project)/examples/lookup/lookup.c"
        let built = try run(
            words: ["clang", "-Wall", "-Wextra", "-Werror", "-I\(include)", "-o", "lookup", source],
            in: place.directory)
        #expect(built == "")
        #expect(try place.shell("cfic compile /bin/bash -o t").code == 0)
        for address in ["2feb8", "30000", "50123", "80001", "ffffffff"] {
            let found = try place.shell("./lookup t \(address)").output
            let expected = try place.shell("cfic lookup t \(address) --json").list("answers")?.first?["ruleNumber"]
            #expect(found == "\(expected ?? 0)\n", "\(address)")
        }
    }
}
