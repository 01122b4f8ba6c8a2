import Foundation
import enum TestFixtures.HostKernel
import Testing

/// `cfic top`, in a terminal of its own.
@Suite(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"), .serialized, .timeLimit(.minutes(30)))
struct TopTests {
    private static let script =
        #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" } + "/Terminal/terminal.py"
    /// Without the Swift runtime's debugger, which asks the user what to do after a crash.
    private static let environment = ["TERM": "xterm", "LC_ALL": "C.UTF-8", "SWIFT_BACKTRACE": "enable=no"]
    private let place: Workplace

    /// Makes a program that is always in `known_callee`, called by `known_caller`.
    init() throws {
        place = try Workplace()
        let source = """
            __attribute__((noinline)) static unsigned long known_callee(unsigned long n)
            { for (int i = 0; i < 100000; i++) n = n * 3 + 1; return n; }
            __attribute__((noinline)) static void known_caller(void)
            { unsigned long n = 1; for (;;) { n = known_callee(n); __asm__ volatile("" : "+r"(n)); } }
            int main(void) { known_caller(); }
            """
        try source.write(toFile: place.directory + "/busy.c", atomically: true, encoding: .utf8)
        let built = try place.shell("clang -O2 -o busy busy.c")
        guard built.code == 0 else { throw TestFailure(built.diagnostics) }
    }

    private func top(
        _ steps: String, options: String = "", size: String = "24x100", environment: [String: String] = [:]
    ) throws -> Outcome {
        try place.shell(
            """
            ./busy & busy=$!
            python3 '\(Self.script)' --size \(size) \(steps) -- '\(Workplace.program())' top -F 199 \(options) -p $busy
            code=$?; kill -9 $busy; exit $code
            """, environment: Self.environment.merging(environment) { $1 })
    }

    /// What terminals of this kind do to show another screen, and to go back.
    private static let (enter, leave) = ("\u{1b}[?1049h", "\u{1b}[?1049l")

    private func expectGivenBack(_ outcome: Outcome, code: Int32) {
        #expect(outcome.code == code, "\(outcome)")
        #expect(outcome.diagnostics.contains("terminal: as before"), "\(outcome.diagnostics)")
        let (entered, left) = (outcome.output.ranges(of: Self.enter), outcome.output.ranges(of: Self.leave))
        #expect(entered.count == 1 && left.count >= 1, "\(outcome.output)")
    }

    @Test func functionsAreShownAndQQuits() throws {
        let outcome = try top(
            "'screen:^ *[0-9.]+ % +[0-9.]+ %  known_callee \\(busy\\)$' 'screen:[0-9.]+ % complete' 'send:q'")
        expectGivenBack(outcome, code: 0)
    }

    @Test func keysMoveThroughTheGraph() throws {
        // Down to the innermost function, at which further keys change nothing, and up to its caller, to zoom in on it.
        let (up, down) = ("'send:\\x1bOA'", "'send:\\x1bOB'")
        let outcome = try top(
            """
            'screen:known_callee \\(busy\\)' \(down) 'screen:self: busy$' 'send:s' 'screen:100.0 %  .*known_caller' \
            'send:\(String(repeating: "\\x1bOB", count: 50))' 'screen:self: known_callee ' \
            \(up) 'screen:self: known_caller ' 'send:\\r' 'screen:\\A.*\\n.*\\nknown_caller *$' \
            \(up) \(down) 'screen:self: known_callee ' 'send:\\x1bOH' 'screen:self: all$' 'send:q'
            """, options: "--no-kernel", size: "30x100")
        expectGivenBack(outcome, code: 0)
    }

    @Test func sizeIsFollowed() throws {
        let outcome = try top(
            "'screen:cfic top, process' 'resize:30x160' 'screen:cfic top.*kernel [0-9.]+ MiB, cfic [0-9.]+ MiB$' 'send:q'",
            size: "20x40")
        expectGivenBack(outcome, code: 0)
    }

    /// Those that end the recording, and those that end the process.
    @Test(arguments: [
        ("SIGTERM", 0), ("SIGINT", 0), ("SIGHUP", 0), ("SIGQUIT", 131), ("SIGSEGV", 139), ("SIGUSR1", 138),
    ])
    func signalGivesTheTerminalBack(name: String, code: Int32) throws {
        expectGivenBack(try top("'screen:known_callee' 'signal:\(name)'"), code: code)
    }

    @Test func endOfTheProcessEndsIt() throws {
        expectGivenBack(try top("'screen:known_callee' \"shell:kill -9 $busy\""), code: 0)
    }

    @Test func colourIsUsedUnlessItIsUnwanted() throws {
        let yellow = "\u{1b}[30m\u{1b}[43m"
        // `swift test` sets NO_COLOR for its tests if it isn't on a terminal itself.
        let coloured = try top("'screen:known_callee' 'send:q'", environment: ["NO_COLOR": ""])
        #expect(coloured.code == 0 && coloured.output.contains(yellow), "\(coloured.output)")
        let plain = try top("'screen:known_callee' 'send:q'", environment: ["NO_COLOR": "1"])
        #expect(
            plain.code == 0 && !plain.output.contains("\u{1b}[30m") && !plain.output.contains("\u{1b}[43m"),
            "\(plain.output)")
    }

    @Test func withoutATerminalItSaysSo() throws {
        let piped = try place.cfic("top")
        #expect(piped.code == 1 && piped.diagnostics.contains("needs a terminal"), "\(piped)")
        let dumb = try top("", environment: ["TERM": "dumb"])
        #expect(dumb.code == 1 && dumb.output.contains("this terminal can't be used"), "\(dumb)")
    }
}
