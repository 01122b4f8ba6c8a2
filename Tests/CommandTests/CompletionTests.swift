import Foundation
import Testing

/// Bash's completions with the installed script.
@Suite(.timeLimit(.minutes(30))) struct CompletionTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    /// The candidates for the last word.
    private func candidates(_ words: String...) throws -> [String] {
        let quoted = words.map { "'\($0)'" }.joined(separator: " ")
        let program = try Workplace.program()
        let outcome = try place.shell(
            """
            unset -f cfic
            PATH="$(dirname '\(program)'):$PATH"
            source <(cfic --generate-completion-script bash)
            COMP_WORDS=(cfic \(quoted)); COMP_CWORD=\(words.count); COMP_LINE="cfic $(printf '%s ' \(quoted))"
            COMP_LINE=${COMP_LINE% }; COMP_POINT=${#COMP_LINE}
            function=$(complete -p cfic | grep -o '[-]F [^ ]*' | cut -c4-)
            "$function" cfic \(quoted.isEmpty ? "''" : "'\(words.last ?? "")'") "${COMP_WORDS[COMP_CWORD-1]}"
            printf '%s\n' "${COMPREPLY[@]}"
            """)
        #expect(outcome.code == 0, "\(outcome.diagnostics)")
        return outcome.output.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
    }

    @Test func processesAreCompleted() throws {
        let own = String(ProcessInfo.processInfo.processIdentifier)
        #expect(try candidates("profile", "-p", "").contains(own))
        #expect(try candidates("profile", "-p", own).allSatisfy { $0.hasPrefix(own) && Int32($0) != nil })
    }

    @Test func commandsAreCompleted() throws {
        #expect(try candidates("profile", "--", "bas").contains("bash"))
        #expect(try !candidates("profile", "--", "bas").contains("ls"))
        try place.write([], to: "text")
        try place.write([], to: "tool")
        try #require(chmod(place.directory + "/tool", 0o755) == 0 && mkdir(place.directory + "/tools", 0o755) == 0)
        #expect(try candidates("profile", "--", "./t") == ["./tool", "./tools/"])
    }

    @Test(arguments: [["compile", "--cache"], ["stats", "--debug-dir"], ["validate", "--sysroot"]])
    func directoriesAreCompleted(words: [String]) throws {
        try place.write([], to: "some-file")
        try #require(mkdir(place.directory + "/some-directory", 0o755) == 0)
        let found = try words.count == 2 ? candidates(words[0], words[1], "some") : []
        #expect(found.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 } == ["some-directory"])
    }

    @Test func directoriesStandAmongFiles() throws {
        try place.write([], to: "some-file")
        try #require(mkdir(place.directory + "/some-directory", 0o755) == 0)
        let found = try candidates("compile", "some").map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
        #expect(found.sorted() == ["some-directory", "some-file"])
    }
}
