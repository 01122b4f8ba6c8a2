import Foundation
import enum TestFixtures.HostKernel
import Testing

/// `cfic profile` for somebody who sits at a terminal.
@Suite(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"), .serialized, .timeLimit(.minutes(30)))
struct TerminalTests {
    private static let script =
        #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" } + "/Terminal/terminal.py"
    /// Not plain, and without colours.
    private static let terminal = ["TERM": "xterm", "LC_ALL": "C.UTF-8", "NO_COLOR": "1"]
    private static let busy = "bash -c 'for ((i = 0; i < 200000; i++)); do :; done'"
    private let place: Workplace

    init() throws { place = try Workplace() }

    private func terminal(_ arguments: String, environment: [String: String] = [:]) throws -> Outcome {
        try place.shell(
            "python3 '\(Self.script)' \(arguments)", environment: Self.terminal.merging(environment) { $1 })
    }

    private func profile(_ options: String = "", environment: [String: String] = [:]) throws -> Outcome {
        try terminal("-- '\(Workplace.program())' profile -F 999 \(options) -- \(Self.busy)", environment: environment)
    }

    private var page: String { place.directory + "/cfic.html" }

    private func status(_ path: String) throws -> stat {
        var status = stat()
        guard lstat(path, &status) == 0 else { throw TestFailure("\(path): errno \(errno)") }
        return status
    }

    @Test func pageAndHottestFunctionsAreTheDefault() throws {
        let outcome = try profile()
        #expect(outcome.code == 0, "\(outcome)")
        #expect(try String(decoding: place.bytes(page), as: UTF8.self).hasPrefix("<!DOCTYPE html>"))
        let lines = outcome.output.split(whereSeparator: \.isNewline).map(String.init)
        let header = try #require(lines.firstIndex { $0.contains("TOTAL  FUNCTION") })
        let rows = lines[(header + 1)...].prefix { $0.contains(" %  ") && !$0.contains("of the stacks") }
        #expect((3...10).contains(rows.count) && rows.contains { $0.hasSuffix("bash") }, "\(lines)")
        // In descending order of the first column.
        let own = rows.compactMap { Double($0.trimmingCharacters(in: .whitespaces).split(separator: " ")[0]) }
        #expect(own.count == rows.count && own == own.sorted(by: >) && own[0] > 1, "\(rows)")
        #expect(lines.contains { $0.contains("of the stacks are complete") }, "\(lines)")
        #expect(lines.contains("Open in a browser: \(page)"), "\(lines)")
        #expect(lines.contains { $0.contains("--off-cpu") } && !outcome.output.contains("\u{1b}"), "\(lines)")
    }

    @Test func ctrlCEndsAndTheProgressIsGone() throws {
        let outcome = try terminal(
            "'expect:[0-9] s · [0-9,]+ samples · [0-9.]+ % of stacks complete · Ctrl-C stops' 'send:\\x03' -- "
                + "'\(Workplace.program())' profile -a -F 99")
        #expect(outcome.code == 0, "\(outcome)")
        #expect(outcome.output.contains("Open in a browser: \(page)"))
        // The line is erased before anything else is written.
        let last = try #require(outcome.output.ranges(of: "Ctrl-C stops").last)
        #expect(outcome.output[last.upperBound...].contains("\r\u{1b}[K"), "\(outcome.output)")
        #expect(outcome.diagnostics.contains("terminal: as before"))
    }

    @Test func durationGivesABar() throws {
        let outcome = try terminal("-- '\(Workplace.program())' profile -a -d 1")
        #expect(outcome.code == 0 && outcome.output.contains("of 1 s · ") && outcome.output.contains("░"), "\(outcome)")
    }

    @Test func narrowTerminalGetsNoLongerLines() throws {
        let outcome = try terminal("--size 24x50 -- '\(Workplace.program())' profile -a -d 1")
        let drawn = outcome.output.split(separator: "\r").filter { $0.contains("of 1 s") }
        #expect(!drawn.isEmpty && drawn.allSatisfy { $0.prefix { $0 != "\u{1b}" }.count < 50 }, "\(drawn)")
    }

    /// Neither bars nor escape sequences.
    @Test(arguments: [["TERM": "dumb"], ["LC_ALL": "C"]])
    func plainTerminalGetsNoProgress(environment: [String: String]) throws {
        let outcome = try terminal("-- '\(Workplace.program())' profile -a -d 1", environment: environment)
        #expect(outcome.code == 0 && outcome.output.contains("Open in a browser"))
        #expect(!outcome.output.contains("\u{1b}") && !outcome.output.contains("stops"), "\(outcome.output)")
    }

    @Test func outputThatIsNamedIsTheOnlyOne() throws {
        let outcome = try profile("-o stacks.folded")
        #expect(outcome.code == 0 && !outcome.output.contains("FUNCTION"), "\(outcome)")
        #expect(access(page, F_OK) != 0)
        let json = try profile("--json")
        #expect(json.code == 0 && json.output.contains("\"schema\"") && access(page, F_OK) != 0)
    }

    // MARK: The file

    @Test func linkIsReplacedAndNotFollowed() throws {
        let victim = try place.write([1, 2, 3], to: "victim")
        try #require(symlink("victim", page) == 0)
        #expect(try profile().code == 0)
        #expect(try place.bytes(victim) == [1, 2, 3])
        let status = try status(page)
        #expect(status.st_mode & S_IFMT == S_IFREG && status.st_size > 1000)
    }

    @Test func onlyItsOwnerCanReadIt() throws {
        try place.write([1], to: "cfic.html")
        try #require(chmod(page, 0o666) == 0 && chown(page, 4243, 4243) == 0)
        #expect(try profile().code == 0)
        let status = try status(page)
        #expect(status.st_mode & 0o7777 == 0o600 && status.st_uid == geteuid() && status.st_size > 1000)
    }

    @Test func underSudoItIsTheCallers() throws {
        let outcome = try profile(environment: ["SUDO_UID": "4242", "SUDO_GID": "4244"])
        #expect(outcome.code == 0, "\(outcome)")
        let status = try status(page)
        #expect(status.st_mode & 0o7777 == 0o600 && status.st_uid == 4242 && status.st_gid == 4244)
    }

    @Test func placeWhereItCannotBeIsFoundBeforeSampling() throws {
        let outcome = try terminal(
            "-- sh -c 'cd /proc && exec \"$0\" profile -- touch \"$1\"' '\(Workplace.program())' '\(place.directory)/ran'"
        )
        #expect(outcome.code == 1 && outcome.output.contains("name a file in another directory with -o"), "\(outcome)")
        #expect(access(place.directory + "/ran", F_OK) != 0)
    }

    @Test func withoutSamplesAnOlderPageStays() throws {
        try place.write([1, 2], to: "cfic.html")
        // Nothing in it can make the event happen.
        let outcome = try terminal("-- '\(Workplace.program())' profile --comm no-such-thread -- true")
        #expect(outcome.code == 0 && outcome.output.contains("No samples were taken"), "\(outcome)")
        #expect(try place.bytes(page) == [1, 2])
    }
}
