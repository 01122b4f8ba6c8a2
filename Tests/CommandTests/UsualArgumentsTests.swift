import ArgumentParser
import Testing

@testable import cfic

/// Arguments that are parsed without the argument parser give the same result as with it.
@Suite struct UsualArgumentsTests {
    @Test(arguments: [
        "compile a", "compile a b", "compile --cache c a", "compile a --cache c b", "compile -j 2 a",
        "compile a --jobs 16",
        "compile --strict --force --json a", "compile --strict --strict a",
        "compile -j 1 --json --cache c --force a b c",
        "compile a=b --cache c=d",
    ])
    func theyMeanWhatTheParserTakesThemFor(line: String) throws {
        let words = line.split(separator: " ").map(String.init)
        let usual = try #require(UsualArguments(words))
        let parsed = try #require(try CFIC.parseAsRoot(words) as? CompileCommand)
        #expect(usual.paths == parsed.paths)
        #expect(usual.cache == parsed.cache.cache && !parsed.cache.isShared)
        #expect(usual.jobs == parsed.threads.jobs)
        #expect(usual.isStrict == parsed.strict && usual.isForced == parsed.force && usual.isJSON == parsed.json)
        #expect(parsed.output == nil && !parsed.keepGaps && !parsed.debugFiles.isOff)
        #expect(parsed.debugFiles.directories.isEmpty)
    }

    /// Arguments with mistakes are left to the parser, which has the messages.
    @Test(arguments: [
        [], ["compile"], ["stats", "a"], ["compile", "-j", "0", "a"], ["compile", "-j", "x", "a"],
        ["compile", "a", "-j"],
        ["compile", "-j2", "a"], ["compile", "--jobs=2", "a"], ["compile", "--cache", "", "a"],
        ["compile", "--cache", "-x", "a"], ["compile", "a", "--cache"],
        ["compile", "--cache", "b", "--cache", "c", "a"],
        ["compile", "--help"], ["compile", "a", "-h"], ["compile", "--", "a"], ["compile", "-"], ["compile", ""],
        ["compile", "a", "-o", "b"], ["compile", "--keep-gaps", "a"], ["compile", "--shared-cache", "a"],
        ["compile", "--debug-dir", "d", "a"], ["--version"], ["compile", "--generate-completion-script"],
    ])
    func whatElseThereIsGoesToTheParser(words: [String]) {
        #expect(UsualArguments(words) == nil)
    }
}
