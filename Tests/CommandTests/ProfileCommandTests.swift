import Foundation
import enum TestFixtures.HostKernel
import Testing

/// `cfic profile`, as a person or a script sees it.
@Suite struct ProfileUsageTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    @Test(arguments: [
        "", "-d 1", "-p 1 -- true", "-p 0", "-p -1", "-p x", "-F 0 -- true", "-F 100001 -- true", "-d 0 -- true",
        "-d -1 -- true", "-d nan -- true", "-d 1e9 -- true", "true", "--nonsense -- true",
    ])
    func wrongUsageIs64(arguments: String) throws {
        let outcome = try place.shell("cfic profile \(arguments)")
        #expect(outcome.code == 64, "\(outcome.talk)")
        #expect(outcome.output == "" && outcome.talk.contains("Usage:"))
    }

    @Test func helpShowsExamples() throws {
        let help = try place.cfic("profile", "--help")
        #expect(help.code == 0 && help.output.contains("Examples:") && help.output.contains("cfic profile "))
    }
}

/// The same where programs can be loaded.
@Suite(.enabled(if: HostKernel.takesPrograms, "loading programs needs root and a kernel with BTF"), .serialized)
struct ProfileCommandTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    // What tests start may have signals blocked: only SIGKILL is sure to end it.

    /// Keeps a shell busy for about half a second.
    private static let busy = "bash -c 'for ((i = 0; i < 200000; i++)); do :; done'"

    /// Waits until the process `$profile` takes samples, or has ended: it watches processes by one event per CPU first,
    /// and samples by another.
    private static let untilItSamples = """
        while [ -d /proc/$profile/fd ] && \\
            [ "$(ls -l /proc/$profile/fd 2>/dev/null | grep -c 'perf_event]')" -le "$(getconf _NPROCESSORS_ONLN)" ]; do :; done
        """
    /// Waits until the process `$busy` has run for a tenth of a second from now on.
    private static let untilBusyRan = """
        ran() { cut -d ' ' -f 14 /proc/$busy/stat; }
        began=$(ran); while [ $(($(ran) - began)) -lt 10 ]; do sleep 0.05; done
        """

    private func lines(_ text: String) -> [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }

    private func expectFolded(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(text.hasSuffix("\n"), sourceLocation: sourceLocation)
        for line in lines(text).dropLast() {
            #expect(line.wholeMatch(of: /[^;]+(;[^;]+)+ [1-9][0-9]*/) != nil, "\(line)", sourceLocation: sourceLocation)
        }
    }

    // MARK: Output

    @Test func stacksGoToOutputAndTheSummaryToError() throws {
        let outcome = try place.shell("cfic profile -F 999 -- \(Self.busy)")
        #expect(outcome.code == 0, "\(outcome.talk)")
        expectFolded(outcome.output)
        #expect(outcome.output.contains("bash;") && outcome.output.contains("__libc_start_main"))
        #expect(outcome.talk.contains(" samples in ") && outcome.talk.contains(" complete\n"))
        #expect(outcome.talk.contains(" lookups in "))
        // Nobody shall take what is left out for what is not there.
        let total = lines(outcome.output).compactMap { Int($0.split(separator: " ").last ?? "") }.reduce(0, +)
        #expect(outcome.talk.replacing(",", with: "").contains("\(total) samples in "), "\(total): \(outcome.talk)")
    }

    @Test func jsonHasWhatTheSummarySays() throws {
        struct Report: Decodable {
            struct Frame: Decodable { var function: String, address: String, isExact: Bool, isGuessed: Bool }
            struct KernelFrame: Decodable { var function: String, address: String }
            struct Stack: Decodable {
                var thread: String, process: Int32, samples: Int, end: String, isComplete: Bool
                var frames: [Frame], kernelFrames: [KernelFrame]
            }
            var samples: UInt64, completeStacks: UInt64, ends: [String: UInt64], seconds: Double, stacks: [Stack]
            var kernelMemoryBytes: Int, kernelMemoryUsedBytes: Int
        }
        let outcome = try place.shell("cfic profile --json -F 999 -- \(Self.busy)")
        #expect(outcome.code == 0 && outcome.talk.contains(" samples in "), "\(outcome.talk)")
        let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
        #expect(report.samples > 20 && report.seconds > 0)
        #expect(report.ends.values.reduce(0, +) == report.samples)
        #expect(report.stacks.reduce(0) { $0 + $1.samples } == Int(report.samples))
        let complete = report.stacks.filter(\.isComplete)
        #expect(complete.reduce(0) { $0 + $1.samples } == Int(report.completeStacks))
        #expect(complete.allSatisfy { $0.end == "end-of-stack" || $0.end == "zero-return-address" })
        let bash = try #require(report.stacks.first { $0.thread == "bash" && $0.isComplete })
        #expect(bash.process > 0 && bash.frames.contains { $0.function.hasPrefix("__libc_start_main") })
        #expect(bash.frames.allSatisfy { $0.address != "0x0" && !$0.isGuessed } && bash.frames[0].isExact)
        let inKernel = report.stacks.flatMap(\.kernelFrames)
        #expect(inKernel.allSatisfy { $0.address.wholeMatch(of: /0x[8-9a-f][0-9a-f]{15}/) != nil && !$0.function.hasSuffix("_[k]") })
        #expect(report.stacks.map(\.samples) == report.stacks.map(\.samples).sorted(by: >))
        #expect(report.kernelMemoryUsedBytes > 0 && report.kernelMemoryUsedBytes <= report.kernelMemoryBytes)
    }

    @Test func idsThatAreNotProcessesSayWhatTheyAre() throws {
        // The second thread of this process.
        let own = Int32(ProcessInfo.processInfo.processIdentifier)
        let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(own)/task").compactMap { Int32($0) }
        let thread = try #require(threads.first { $0 != own })
        let outcome = try place.cfic("profile", "-p", "\(thread)", "-d", "1")
        #expect(outcome.code == 1 && outcome.talk.contains("\(thread) is a thread of process \(own): name that"))
        let kernel = try place.cfic("profile", "-p", "2", "-d", "1")
        let isKernel = (try? String(contentsOfFile: "/proc/2/comm", encoding: .utf8)) == "kthreadd\n"
        #expect(!isKernel || kernel.code == 1 && kernel.talk.contains("2 is a thread of the kernel"), "\(kernel.talk)")
        let missing = try place.cfic("profile", "-p", "2147483647")
        #expect(missing.code == 1 && missing.talk.contains("there is no process 2147483647"), "\(missing.talk)")
    }

    @Test func fileIsWrittenWhole() throws {
        try place.write(Array(repeating: 0x78, count: 100_000), to: "stacks")
        let outcome = try place.shell("cfic profile -F 999 -o stacks -- \(Self.busy)")
        #expect(outcome.code == 0 && outcome.output == "", "\(outcome.talk)")
        expectFolded(String(decoding: try place.bytes(place.directory + "/stacks"), as: UTF8.self))
        let names = try FileManager.default.contentsOfDirectory(atPath: place.directory).filter { $0 != "cache" }
        #expect(names == ["stacks"])
    }

    @Test func fileThatCannotBeWrittenFails() throws {
        let outcome = try place.shell("cfic profile -o missing/stacks -- true")
        #expect(outcome.code == 1 && outcome.talk.contains("missing/stacks: "), "\(outcome.talk)")
    }

    @Test func tablesAreKept() throws {
        #expect(try place.shell("cfic profile -F 999 -- \(Self.busy)").code == 0)
        #expect(place.cached().contains { $0.hasSuffix(".unwind") })
    }

    // MARK: Failures

    @Test func processThatDoesNotExistFails() throws {
        let outcome = try place.cfic("profile", "-p", "2147483000")
        #expect(outcome.code == 1 && outcome.output == "")
        #expect(outcome.talk.contains("there is no process 2147483000"))
    }

    @Test func commandThatCannotBeRunFails() throws {
        let missing = try place.cfic("profile", "--", "./missing-command")
        #expect(missing.code == 1 && missing.output == "")
        #expect(missing.talk.contains("./missing-command: No such file or directory"), "\(missing.talk)")
        try place.write(Array("text".utf8), to: "text")
        let text = try place.cfic("profile", "--", "./text")
        #expect(text.code == 1 && text.talk.contains("./text: Permission denied"), "\(text.talk)")
    }

    @Test func commandsOwnFailureIsSaid() throws {
        let code = try place.cfic("profile", "--", "/bin/sh", "-c", "exit 3")
        #expect(code.code == 0 && code.talk.contains("the command ended with exit code 3"), "\(code.talk)")
        let signal = try place.cfic("profile", "--", "/bin/sh", "-c", "kill -9 $$")
        #expect(signal.code == 0 && signal.talk.contains("the command was ended by signal 9"), "\(signal.talk)")
    }

    @Test(arguments: [
        ("", "CAP_BPF and CAP_PERFMON are missing"), ("bpf", "CAP_PERFMON is missing"),
        ("perfmon", "CAP_BPF is missing"),
    ])
    func missingCapabilityIsNamed(capability: String, message: String) throws {
        let given = capability.isEmpty ? "" : "--inh-caps=+\(capability) --ambient-caps=+\(capability)"
        let outcome = try place.shell(
            "chmod 755 .. .; unset -f cfic; "
                + "setpriv --reuid=65534 --regid=65534 --clear-groups \(given) \(Workplace.program()) profile -- true")
        #expect(outcome.code == 1 && outcome.output == "", "\(outcome.talk)")
        #expect(outcome.talk.contains(message), "\(outcome.talk)")
        #expect(!outcome.talk.contains("Fatal error"))
    }

    // MARK: Ends

    @Test func durationEndsTheCommand() throws {
        let start = ContinuousClock.now
        let outcome = try place.shell("cfic profile -d 0.5 -- sleep 1234; pgrep -f '^sleep 1234$'")
        #expect(outcome.output == "" && outcome.code == 1, "the command is still there")
        #expect(outcome.talk.contains(/[0-9] samples? in [0-9]/))
        #expect(ContinuousClock.now - start < .seconds(1000))
    }

    @Test func commandThatDoesNotWantToEndIsEnded() throws {
        let outcome = try place.shell("cfic profile -d 0.5 -- bash -c 'trap \"\" TERM; while :; do :; done'")
        #expect(outcome.code == 0 && outcome.output.contains("bash;"), "\(outcome.talk)")
    }

    @Test func durationLeavesAProcessAlone() throws {
        let outcome = try place.shell("sleep 1000 & cfic profile -d 0.3 -p $!; code=$?; kill -KILL $! && exit $code")
        #expect(outcome.code == 0, "\(outcome.talk)")
    }

    @Test(arguments: ["INT", "TERM", "HUP"])
    func signalEndsItWithItsOutput(signal: String) throws {
        let program = try Workplace.program()
        let outcome = try place.shell("""
            bash -c 'while :; do :; done' & busy=$!
            \(program) profile -F 999 -o stacks -p $busy & profile=$!
            \(Self.untilItSamples)
            \(Self.untilBusyRan)
            kill -\(signal) $profile; wait $profile; code=$?
            kill -KILL $busy || code=99
            exit $code
            """)
        #expect(outcome.code == 0, "\(outcome.talk)")
        expectFolded(String(decoding: try place.bytes(place.directory + "/stacks"), as: UTF8.self))
    }

    @Test(.timeLimit(.minutes(5))) func itEndsWithTheProcess() throws {
        let outcome = try place.shell("""
            sleep 1000 & sleeper=$!
            \(try Workplace.program()) profile -p $sleeper & profile=$!
            \(Self.untilItSamples)
            kill -KILL $sleeper; wait $profile
            """)
        #expect(outcome.code == 0, "\(outcome.talk)")
        #expect(outcome.talk.contains(/[0-9] samples? in [0-9]/), "\(outcome.talk)")
    }

    @Test func childrenOfACommandAreSampled() throws {
        let outcome = try place.shell("cfic profile -F 999 -- sh -c \"\(Self.busy); true\"")
        #expect(outcome.code == 0)
        expectFolded(outcome.output)
        #expect(outcome.talk.contains(" complete\n"), "\(outcome.talk)")
    }
}
