import Foundation
import Testing

/// File names are bytes, not text.
@Suite(.timeLimit(.minutes(30))) struct PathTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    /// Bash commands that make a directory and a library with names in Latin-1.
    private static let make = "d=$'d\\xe4'; f=$'lib\\xe4\\xff.so'; mkdir \"$d\"; cp lib.so \"$d/$f\"; cp lib.so \"$f\""

    @Test(arguments: ["compile", "sizes", "stats", "validate --no-cache", "dump", "dump --stage rows"])
    func filesOfAnyNameAreOpened(_ command: String) throws {
        try place.library()
        let outcome = try place.shell("\(Self.make); cfic \(command) \"$f\"")
        #expect(outcome.code == 0, "\(outcome.diagnostics)")
        #expect(!(outcome.output + outcome.diagnostics).contains("\u{fffd}"))
    }

    @Test func aLookupToo() throws {
        try place.library()
        let address = "a=$(cfic dump --stage rules lib.so | head -c 16)"
        let outcome = try place.shell("\(Self.make); \(address); cfic lookup \"$f\" $a")
        #expect(outcome.code == 0 && outcome.output.contains("CFA = rsp+8"), "\(outcome.diagnostics)")
    }

    @Test(arguments: ["compile", "sizes", "stats", "validate --no-cache"])
    func directoriesAreWalked(_ command: String) throws {
        try place.library()
        let outcome = try place.shell("\(Self.make); cfic \(command) \"$d\"")
        #expect(outcome.code == 0, "\(outcome.diagnostics)")
        #expect(outcome.output.contains("d\\xe4/lib\\xe4\\xff.so"))
    }

    @Test func twoNamesThatReadAlikeAreTwoFiles() throws {
        try place.library()
        try place.library("other.so", cfi: ".cfi_def_cfa_offset 64")
        let outcome = try place.shell(
            """
            cp lib.so $'a\\xe4'; cp other.so $'a\\xe5'
            cfic dump --stage rules $'a\\xe5'; cfic dump --stage rules $'a\\xe4'
            """)
        #expect(outcome.code == 0)
        let lines = outcome.output.split(separator: "\n")
        #expect(lines.count == 3 && lines[1].contains("rsp+64") && lines[2].contains("rsp+8"))
    }

    @Test(arguments: ["compile", "sizes", "stats", "validate --no-cache"])
    func JSONIsJSON(_ command: String) throws {
        try place.library()
        let outcome = try place.shell("\(Self.make); cfic \(command) --json \"$f\"")
        #expect(outcome.code == 0, "\(outcome.diagnostics)")
        #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) }
        #expect(outcome.output.contains("lib\u{10ffe4}\u{10ffff}.so"))
    }

    @Test func messagesAreReadable() throws {
        let outcome = try place.shell("cfic stats $'none\\xff'")
        #expect(outcome.code == 1)
        #expect(outcome.diagnostics.contains("none\\xff: No such file or directory"))
    }

    @Test func jobsNeedNoBlank() throws {
        try place.library()
        #expect(try place.cfic("compile", "-j2", "lib.so").code == 0)
        #expect(try place.cfic("compile", "-j0", "lib.so").code == 64)
    }
}
