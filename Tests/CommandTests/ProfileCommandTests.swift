import Foundation
import enum TestFixtures.HostKernel
import Testing

/// The user interface of `cfic profile`.
@Suite struct ProfileUsageTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    @Test(arguments: [
        "-a -p 1", "-a -- true", "-t 0", "--comm ''", "--comm 1234567890123456", "-p 1 -- true", "-p 0", "-p -1",
        "-p x", "-F 0 -- true", "-F 100001 -- true", "-d 0 -- true",
        "-d -1 -- true", "-d nan -- true", "-d 1e9 -- true", "true", "--nonsense -- true", "--min-wait 5 -- true",
        "--off-cpu-share 0.5 -- true",
        "--off-cpu --off-cpu-share 0 -- true", "--off-cpu --off-cpu-share 1.1 -- true",
        "--off-cpu --min-wait -1 -- true",
        "--off-cpu --off-cpu-share nan -- true", "-e nonsense -- true", "-e a: -- true", "-e a:b:c -- true",
        "-e sched/x:y -- true", "-c 1 -- true", "-e page-faults -c 0 -- true", "-e page-faults -c 4294967296 -- true",
        "-e page-faults -F 99 -- true", "-e sched:sched_switch -F 99 -- true", "-e cpu-clock -c 10 -- true",
        "-e instructions -c 10 -F 99 -- true", "--counters file -- true", "--counters '' -- true",
        "--off-cpu -e page-faults -- true", "--off-cpu -e cycles -c 9 -- true",
        "-o a.json --counters a.json -- true", "-o a.svgg -- true", "-o ./a.b/c.d -- true", "-o a -o a -- true",
        "--json --format folded -- true", "--format nonsense -- true",
    ])
    func wrongUsageIs64(arguments: String) throws {
        let outcome = try place.shell("cfic profile \(arguments)")
        #expect(outcome.code == 64, "\(outcome.diagnostics)")
        #expect(outcome.output == "" && outcome.diagnostics.contains("Usage:"))
    }

    @Test func unknownEventGetsTheNearestNamesAndAList() throws {
        let outcome = try place.cfic("profile", "-e", "page-fault", "--", "true")
        #expect(outcome.code == 64)
        #expect(
            outcome.diagnostics.hasPrefix(
                "Error: There is no event 'page-fault'; did you mean page-faults? There are cycles, instructions, "),
            "\(outcome.diagnostics)")
        let other = try place.cfic("profile", "-e", "zzzzzzzzzz", "--", "true")
        #expect(other.diagnostics.hasPrefix("Error: There is no event 'zzzzzzzzzz'. There are cycles, "))
    }

    @Test func helpShowsExamples() throws {
        let help = try place.cfic("profile", "--help")
        #expect(help.code == 0 && help.output.contains("Examples:") && help.output.contains("cfic profile "))
        for capability in ["BPF", "PERFMON", "SYS_PTRACE", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH"] {
            #expect(help.output.contains("CAP_\(capability)"))
        }
    }
}

/// The same, with BPF programs loaded.
@Suite(
    .enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"), .serialized,
    .timeLimit(.minutes(30)))
struct ProfileCommandTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    // Processes that tests start may have signals blocked; only SIGKILL certainly kills them.

    /// Keeps a shell busy for about half a second.
    private static let busy = busy(200_000)

    private static func busy(_ turns: Int) -> String { "bash -c 'for ((i = 0; i < \(turns); i++)); do :; done'" }

    /// Waits until the process `$profile` takes samples or has exited. It first opens an event per CPU for processes,
    /// then another one for samples.
    private static let untilItSamples = """
        while [ -d /proc/$profile/fd ] && \\
            [ "$(ls -l /proc/$profile/fd 2>/dev/null | grep -c 'perf_event]')" -le "$(getconf _NPROCESSORS_ONLN)" ]; do :; done
        """
    /// Waits until the process `$busy` has used another tenth of a second of CPU time.
    private static let untilBusyRan = """
        ran() { cut -d ' ' -f 14 /proc/$busy/stat; }
        began=$(ran); while [ $(($(ran) - began)) -lt 10 ]; do sleep 0.05; done
        """

    @Test func waitsOfACommandAreNanoseconds() throws {
        let outcome = try place.shell("cfic profile --off-cpu -o stacks -- sleep 0.3; code=$?; cat stacks; exit $code")
        #expect(outcome.code == 0, "\(outcome.diagnostics)")
        expectFolded(outcome.output)
        let sleeping = lines(outcome.output).filter { $0.hasPrefix("sleep;") && $0.contains("nanosleep") }
        let waited = sleeping.reduce(0) { $0 + (Int($1.split(separator: " ").last ?? "") ?? 0) }
        #expect(waited >= 300_000_000, "\(outcome.output)")
        #expect(outcome.diagnostics.contains(" of waits; all threads together waited "))
        #expect(!outcome.diagnostics.contains("clock") && !outcome.output.contains("[off-cpu]"))
    }

    // MARK: Counters

    private struct CountersDocument: Decodable {
        struct Audit: Decodable { var agreeingStacks: Int, agreement: Double?, finishedAgreement: Double? }
        var seconds: Double, samples: Int, lostSamples: Int
        var stacks: [String: Int], ends: [String: Int], frames: [String: Int]
        var tableRequests: [String: Int], tables: [String: Int], processes: [String: Int]
        var tableMemoryUsedBytes: Int, tableMemoryBytes: Int, tableMemoryLimitBytes: Int, residentBytes: Int
        var audit: Audit?
    }

    private func counters() throws -> CountersDocument {
        let data = try Data(contentsOf: URL(fileURLWithPath: place.directory + "/counters.json"))
        return try JSONDecoder().decode(CountersDocument.self, from: data)
    }

    @Test func countersAddUp() throws {
        struct Report: Decodable { var samples: Int, userFrameCount: Int, kernelFrameCount: Int }
        func profile(turns: Int) throws -> (Report, CountersDocument) {
            let outcome = try place.shell(
                "rm -rf $CFIC_CACHE; cfic profile -F 1999 --json --counters counters.json -- \(Self.busy(turns))")
            #expect(outcome.code == 0, "\(outcome.diagnostics)")
            return (try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8)), try self.counters())
        }
        var (report, counters) = try profile(turns: 200_000)
        // On a busy machine, the command may end before its tables are there.
        for turns in [2_000_000, 20_000_000] where counters.tables["pending"] != 0 {
            (report, counters) = try profile(turns: turns)
        }
        #expect(counters.samples > 100 && counters.samples == report.samples + counters.lostSamples)
        #expect(counters.ends.values.reduce(0, +) == counters.samples)
        #expect(counters.stacks.values.reduce(0, +) == counters.samples)
        if counters.lostSamples == 0 {
            // No library is unloaded, so that no frames were cut off afterwards.
            #expect(counters.frames.values.reduce(0, +) == report.userFrameCount + report.kernelFrameCount)
        }
        // All tables are compiled into the new cache: at least those of bash, the C library and the loader.
        #expect(counters.tableRequests["cached"] == 0 && counters.tableRequests["compiled"]! >= 3)
        #expect(counters.tables["pending"] == 0 && counters.seconds > 0)
        #expect(counters.tableMemoryUsedBytes <= counters.tableMemoryBytes && counters.tableMemoryUsedBytes > 0)
        #expect(counters.tableMemoryBytes <= counters.tableMemoryLimitBytes && counters.residentBytes > 1 << 20)
        // A table that was not stored yet when the command ended is made again.
        var again = counters
        for _ in 0..<5 where again.tableRequests["compiled"] != 0 {
            _ = try place.shell("cfic profile -F 1999 --counters counters.json -- \(Self.busy)")
            again = try self.counters()
        }
        #expect(again.tableRequests["cached"]! >= 3 && again.tableRequests["compiled"] == 0)
    }

    @Test func prometheusTextIsWritten() throws {
        let outcome = try place.shell(
            "cfic profile --counters counters.prom -o stacks -- \(Self.busy); cat counters.prom")
        #expect(outcome.output.contains("\n# TYPE cfic_samples_total counter\ncfic_samples_total "))
        func sum(_ metric: String) throws -> Int {
            let values = lines(outcome.output).filter { $0.hasPrefix(metric) }.map { $0.split(separator: " ").last }
            return try values.map { try #require(Int($0 ?? "")) }.reduce(0, +)
        }
        // On a busy machine the command may end before its tables are there: how its stacks end is open.
        let samples = try sum("cfic_samples_total ")
        #expect(samples > 0, "\(outcome.output)")
        #expect(try sum("cfic_stack_ends_total{end=\"") == samples, "\(outcome.output)")
        #expect(try sum("cfic_stacks_total{outcome=\"") == samples, "\(outcome.output)")
    }

    @Test func auditIsCounted() throws {
        let outcome = try place.shell("cfic validate --live -F 999 --counters counters.json -- \(Self.busy)")
        #expect(outcome.code == 0, "\(outcome.diagnostics)")
        let audit = try #require(try counters().audit)
        let agreements = [audit.agreement, audit.finishedAgreement].compactMap { $0 }
        #expect(audit.agreeingStacks > 0 && !agreements.isEmpty && agreements.allSatisfy { $0 == 100 })
    }

    /// It is read while cfic still samples, and an unwritable file is reported before anything runs.
    @Test func countersAreThereWhileSamplesAreTaken() throws {
        let outcome = try place.shell(
            """
            \(try Workplace.program()) profile --counters counters.json -o stacks -- sleep 60 & profile=$!
            for ((i = 0; i < 300; i++)); do [ -s counters.json ] && break; sleep 0.1; done
            [ -d /proc/$profile ] && cat counters.json; kill -TERM $profile; wait $profile
            """)
        #expect(outcome.output.contains("\"schema\" : \"counters\""), "\(outcome.diagnostics)")
        let unwritable = try place.shell("cfic profile --counters none/counters.json -- touch ran; ls")
        #expect(unwritable.diagnostics.hasPrefix("cfic: none/counters.json: cannot write: No such file or directory"))
        #expect(!unwritable.output.contains("ran"))
    }

    // MARK: Events

    @Test func numbersAreEventsIfThePeriodIsGiven() throws {
        struct Report: Decodable {
            struct Stack: Decodable { var samples: Int, events: Int? }
            var event: String, period: Int?, stacks: [Stack]
        }
        let outcome = try place.shell("cfic profile -e page-faults -c 20 --json -- \(Self.busy)")
        #expect(outcome.code == 0 && outcome.diagnostics.contains(" by page-faults, each of 20, "))
        let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
        #expect(report.event == "page-faults" && report.period == 20 && !report.stacks.isEmpty)
        #expect(report.stacks.allSatisfy { $0.events == 20 * $0.samples })
        let folded = try place.shell("cfic profile -e page-faults -c 20 -- \(Self.busy)")
        let numbers = lines(folded.output).compactMap { Int($0.split(separator: " ").last ?? "") }
        #expect(!numbers.isEmpty && numbers.allSatisfy { $0 % 20 == 0 })
    }

    @Test func tracepointIsSampled() throws {
        let outcome = try place.shell("cfic profile -e sched:sched_process_exec -- bash -c 'exec true'")
        #expect(outcome.code == 0, "\(outcome.diagnostics)")
        // The shell, and what it becomes.
        #expect(outcome.diagnostics.hasPrefix("2 samples in "), "\(outcome.diagnostics)")
        #expect(outcome.diagnostics.contains(" by sched:sched_process_exec, "))
        let unknown = try place.shell("cfic profile -e sched:sched_process_exek -- true")
        #expect(unknown.code == 1)
        #expect(
            unknown.diagnostics == "cfic: this kernel has no tracepoint sched:sched_process_exek; did you mean "
                + "sched:sched_process_exec?\n")
    }

    @Test func tracepointWithoutTracefsSaysWhatToDo() throws {
        let outcome = try place.shell(
            """
            unshare -m bash -c 'umount -a -t tracefs,debugfs 2> /dev/null; \
                setpriv --bounding-set -sys_admin --inh-caps -sys_admin "$@"' - \
                \(Workplace.program()) profile -e sched:sched_switch -- true
            """)
        #expect(outcome.code == 1)
        #expect(
            outcome.diagnostics == "cfic: tracepoints are listed in tracefs, which is not mounted: "
                + "mount -t tracefs none /sys/kernel/tracing\n", "\(outcome.diagnostics)")
    }

    @Test func machinesEventsAreListed() throws {
        let outcome = try place.cfic("profile", "--list-events")
        #expect(outcome.code == 0)
        let events = lines(outcome.output).dropLast()
        #expect(events.contains("clock       cpu-clock") && events.contains("software    page-faults"))
        #expect(events.contains("tracepoint  sched:sched_switch"))
        let counters = try place.cfic("profile", "-e", "instructions", "--", "true")
        if events.contains("hardware    instructions") {
            #expect(counters.code == 0)
        } else {
            #expect(outcome.diagnostics == "note: this machine has no hardware counters, like most virtual machines\n")
            #expect(counters.code == 1)
            #expect(
                counters.diagnostics == "cfic: this machine has no hardware counter for instructions, like most "
                    + "virtual machines: use cpu-clock\n")
        }
    }

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
        #expect(outcome.code == 0, "\(outcome.diagnostics)")
        expectFolded(outcome.output)
        #expect(outcome.output.contains("bash;") && outcome.output.contains("__libc_start_main"))
        #expect(outcome.diagnostics.contains(" samples in ") && outcome.diagnostics.contains(" complete\n"))
        #expect(outcome.diagnostics.contains(" lookups in "))
        // The summary counts all samples, so that missing ones would be noticed.
        let total = lines(outcome.output).compactMap { Int($0.split(separator: " ").last ?? "") }.reduce(0, +)
        #expect(
            outcome.diagnostics.replacing(",", with: "").contains("\(total) samples in "),
            "\(total): \(outcome.diagnostics)")
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
        #expect(outcome.code == 0 && outcome.diagnostics.contains(" samples in "), "\(outcome.diagnostics)")
        let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
        #expect(report.samples > 20 && report.seconds > 0)
        #expect(report.ends.values.reduce(0, +) == report.samples)
        #expect(report.stacks.reduce(0) { $0 + $1.samples } == Int(report.samples))
        let complete = report.stacks.filter(\.isComplete)
        #expect(complete.reduce(0) { $0 + $1.samples } == Int(report.completeStacks))
        // The last one is that of a process that is ending, or in execve.
        let ends: Set = ["end-of-stack", "zero-return-address", "no-user-code"]
        #expect(complete.allSatisfy { ends.contains($0.end) }, "\(complete.map(\.end))")
        let bash = try #require(report.stacks.first { $0.thread == "bash" && $0.isComplete })
        #expect(bash.process > 0 && bash.frames.contains { $0.function.hasPrefix("__libc_start_main") })
        #expect(bash.frames.allSatisfy { $0.address != "0x0" && !$0.isGuessed } && bash.frames[0].isExact)
        let inKernel = report.stacks.flatMap(\.kernelFrames)
        #expect(
            inKernel.allSatisfy {
                $0.address.wholeMatch(of: /0x[8-9a-f][0-9a-f]{15}/) != nil && !$0.function.hasSuffix("_[k]")
            })
        #expect(report.stacks.map(\.samples) == report.stacks.map(\.samples).sorted(by: >))
        #expect(report.kernelMemoryUsedBytes > 0 && report.kernelMemoryUsedBytes <= report.kernelMemoryBytes)
    }

    /// The summary, the counters and the stacks agree on the three outcomes, and the text marks them.
    /// Without a target, and with all its filters.
    @Test func wholeMachineIsSampled() throws {
        let outcome = try place.shell(
            """
            python3 -c "open('/proc/self/comm', 'w').write('cfic-busy')
            while True: pass" & busy=$!
            until [ "$(cat /proc/$busy/comm)" = cfic-busy ]; do :; done
            cfic profile -F 999 -d 1 -o all; code=$?
            cfic profile -F 999 -d 1 --comm cfic-busy -t $busy --no-kernel --json -o filtered || code=$?
            cfic profile -a -F 999 -d 0.5 --comm cfic-busy -t $$ -o nobody || code=$?
            kill -9 $busy
            grep -c ^cfic-busy all; wc -l < nobody; cat filtered; exit $code
            """)
        #expect(outcome.code == 0, "\(outcome.diagnostics)")
        let words = outcome.output.split(separator: "\n", maxSplits: 2)
        try #require(words.count == 3)
        #expect(Int(words[0]) ?? 0 > 0 && words[1] == "0")
        let document = try JSONSerialization.jsonObject(with: Data(words[2].utf8)) as? [String: Any]
        let stacks = try #require(document?["stacks"] as? [[String: Any]])
        #expect(!stacks.isEmpty && stacks.allSatisfy { $0["thread"] as? String == "cfic-busy" })
        #expect(Set(stacks.compactMap { $0["process"] as? Int }).count == 1)
        #expect(stacks.allSatisfy { ($0["kernelFrames"] as? [Any])?.isEmpty == true })
        #expect(stacks.contains { $0["isComplete"] as? Bool == true })
        let badCgroup = try place.cfic("profile", "-d", "1", "--cgroup", "/etc")
        #expect(badCgroup.code == 1 && badCgroup.diagnostics.contains("/etc is not the directory of a cgroup"))
    }

    @Test func outcomesAreTheSameEverywhere() throws {
        struct Report: Decodable {
            struct Frame: Decodable { var function: String, isGuessed: Bool, isUnchecked: Bool }
            struct Stack: Decodable { var samples: Int, outcome: String, isComplete: Bool, frames: [Frame] }
            var samples: Int, completeStacks: Int, guessedStacks: Int, stacks: [Stack]
        }
        let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
        let made = try place.shell(
            "gcc -O2 -fomit-frame-pointer -fcf-protection=none -w -o guessed '\(root)/testdata/programs/odd-stacks.c'")
        try #require(made.code == 0, "\(made.diagnostics)")
        // On a busy machine, a second may be over before the tables are made.
        func profile(_ seconds: Int) throws -> (Outcome, Report) {
            let outcome = try place.shell("cfic profile --json -F 999 -d \(seconds) -- ./guessed made")
            return (outcome, try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8)))
        }
        var seconds = 1
        var (outcome, report) = try profile(seconds)
        while report.guessedStacks < 20, seconds < 100 {
            seconds *= 2
            (outcome, report) = try profile(seconds)
        }
        func samples(_ outcome: String) -> Int {
            report.stacks.filter { $0.outcome == outcome }.reduce(0) { $0 + $1.samples }
        }
        #expect(report.guessedStacks >= 20 && samples("guessed") == report.guessedStacks)
        #expect(samples("complete") == report.completeStacks)
        #expect(samples("complete") + samples("guessed") + samples("truncated") == report.samples)
        #expect(report.stacks.allSatisfy { $0.isComplete == ($0.outcome == "complete") })
        #expect(
            outcome.diagnostics.contains(") reached the outermost frame, partly by guesses\n"), "\(outcome.diagnostics)"
        )
        let text = try place.shell("cfic profile -F 999 -d \(seconds) -- ./guessed made")
        #expect(text.output.contains(";main_[fp];call_made_code_[fp];[anonymous];spin "), "\(text.output)")
    }

    @Test func idsThatAreNotProcessesSayWhatTheyAre() throws {
        // A second thread in this process.
        let own = Int32(ProcessInfo.processInfo.processIdentifier)
        let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(own)/task").compactMap { Int32($0) }
        let thread = try #require(threads.first { $0 != own })
        let outcome = try place.cfic("profile", "-p", "\(thread)", "-d", "1")
        #expect(
            outcome.code == 1
                && outcome.diagnostics.contains("\(thread) is a thread of process \(own): specify \(own)"))
        let kernel = try place.cfic("profile", "-p", "2", "-d", "1")
        let isKernel = (try? String(contentsOfFile: "/proc/2/comm", encoding: .utf8)) == "kthreadd\n"
        #expect(
            !isKernel || kernel.code == 1 && kernel.diagnostics.contains("2 is a kernel thread"),
            "\(kernel.diagnostics)")
        let missing = try place.cfic("profile", "-p", "2147483647")
        #expect(
            missing.code == 1 && missing.diagnostics.contains("there is no process 2147483647"),
            "\(missing.diagnostics)")
    }

    @Test func fileIsWrittenWhole() throws {
        try place.write(Array(repeating: 0x78, count: 100_000), to: "stacks")
        let outcome = try place.shell("cfic profile -F 999 -o stacks -- \(Self.busy)")
        #expect(outcome.code == 0 && outcome.output == "", "\(outcome.diagnostics)")
        expectFolded(String(decoding: try place.bytes(place.directory + "/stacks"), as: UTF8.self))
        let names = try FileManager.default.contentsOfDirectory(atPath: place.directory).filter { $0 != "cache" }
        #expect(names == ["stacks"])
    }

    /// This must be detected before recording, whose result would be lost.
    @Test(arguments: ["missing/stacks", "/proc/stacks", ".", "file/stacks", "/dev/full/x", ""])
    func fileThatCannotBeWrittenIsSaidBeforeTheCommandRuns(path: String) throws {
        try place.write([], to: "file")
        let outcome = try place.shell("cfic profile -o '\(path)' -- touch ran; ls")
        #expect(!outcome.output.contains("ran") && outcome.output.contains("file"), "\(outcome.diagnostics)")
        #expect(
            outcome.diagnostics.contains("\(path): ") && !outcome.diagnostics.contains("samples in"),
            "\(outcome.diagnostics)")
    }

    /// The stacks are written elsewhere, and a message states where.
    @Test(arguments: ["-o /dev/full", "> /dev/full"])
    func stacksThatDoNotFitGoElsewhere(to: String) throws {
        let outcome = try place.shell(
            """
            mkdir elsewhere; TMPDIR=$PWD/elsewhere cfic profile -F 999 \(to.hasPrefix("-") ? to : "") \
                -- \(Self.busy) \(to.hasPrefix(">") ? to : ""); echo $?; cat elsewhere/* 2>/dev/null
            """)
        let printed = outcome.output.split(separator: "\n", maxSplits: 1)
        #expect(printed.first == "1" && outcome.diagnostics.contains("No space left on device"))
        #expect(outcome.diagnostics.contains("; the profile was saved to "), "\(outcome.diagnostics)")
        expectFolded(printed.count > 1 ? String(printed[1]) : "")
        #expect(outcome.diagnostics.contains(" samples in "), "\(outcome.diagnostics)")
    }

    /// RLIMIT_FSIZE raises a signal, which would kill the process. If no file can be written, the stacks go to standard
    /// output.
    @Test func fileThatMayNotGrowIsAnError() throws {
        let outcome = try place.shell(
            """
            cfic profile -- true > /dev/null 2>&1
            mkdir elsewhere; export TMPDIR=$PWD/elsewhere
            (ulimit -f 0; cfic profile -F 999 -o stacks -- \(Self.busy) 2>&1; echo "code $?") | cat
            ls elsewhere >&2
            """)
        #expect(outcome.output.contains("stacks: cannot write: File too large"), "\(outcome.output.suffix(300))")
        #expect(
            outcome.output.contains("; the profile was written to standard output"), "\(outcome.output.suffix(300))")
        #expect(outcome.output.hasSuffix("\ncode 1\n") && outcome.output.contains("bash;"))
        // No partial file is left.
        #expect(outcome.diagnostics == "")
    }

    /// If `head` stops reading, the stacks are not written elsewhere.
    @Test func outputThatNobodyReadsAnyMoreIsNotKept() throws {
        try place.write(
            Array(
                """
                import os, subprocess, sys
                r, w = os.pipe()
                os.close(r)
                # SIGPIPE stays ignored, as in Python.
                print(subprocess.run(sys.argv[1:], stdout=w, restore_signals=False).returncode)
                """.utf8), to: "unread.py")
        let outcome = try place.shell(
            """
            mkdir elsewhere; export TMPDIR=$PWD/elsewhere
            python3 unread.py \(Workplace.program()) profile -F 999 -- \(Self.busy); ls elsewhere
            """)
        #expect(
            outcome.output == "1\n" && !outcome.diagnostics.contains("the profile"),
            "\(outcome.output) \(outcome.diagnostics)")
    }

    /// More output than one write: when the first write fails, only the rest is still in memory.
    @Test func longOutputThatDoesNotFitIsAnError() throws {
        let outcome = try place.shell(
            """
            mkdir elsewhere; export TMPDIR=$PWD/elsewhere
            cfic profile --json -F 9999 -d 1 -- bash -c 'while :; do :; done' > /dev/full; echo $?
            wc -c < elsewhere/*
            """)
        let printed = outcome.output.split(separator: "\n").compactMap { Int($0) }
        #expect(printed.count == 2 && printed[0] == 1, "\(outcome.output) \(outcome.diagnostics)")
        #expect(
            (printed.last ?? 0) > 1 << 16 && outcome.diagnostics.contains("; the profile was saved to "),
            "\(outcome.diagnostics)")
    }

    @Test func nonBlockingOutputLosesNothing() throws {
        try place.write(
            Array(
                """
                import fcntl, os, subprocess, sys, time
                r, w = os.pipe()
                fcntl.fcntl(w, fcntl.F_SETFL, fcntl.fcntl(w, fcntl.F_GETFL) | os.O_NONBLOCK)
                child = subprocess.Popen(sys.argv[1:], stdout=w)
                os.close(w)
                count = 0
                while True:
                    # Reads more slowly than the profiler writes.
                    time.sleep(0.001)
                    read = os.read(r, 16384)
                    if not read: break
                    count += len(read)
                print(count, child.wait())
                """.utf8), to: "slow.py")
        let whole = try place.shell("cfic dump --stage rows /bin/bash | wc -c")
        let slow = try place.shell("python3 slow.py \(Workplace.program()) dump --stage rows /bin/bash")
        let count = try #require(Int(whole.output.trimmingCharacters(in: .whitespacesAndNewlines)))
        #expect(count > 1 << 17 && slow.output == "\(count) 0\n", "\(slow.output) \(slow.diagnostics)")
    }

    /// They are made while the command runs; what isn't made when it ends is left to the next profile.
    @Test func tablesAreKept() throws {
        for _ in 0..<50 where !place.cached().contains(where: { $0.hasSuffix(".unwind") }) {
            #expect(try place.shell("cfic profile -F 999 -- \(Self.busy)").code == 0)
        }
        #expect(place.cached().contains { $0.hasSuffix(".unwind") })
    }

    // MARK: Failures

    @Test func processThatDoesNotExistFails() throws {
        let outcome = try place.cfic("profile", "-p", "2147483000")
        #expect(outcome.code == 1 && outcome.output == "")
        #expect(outcome.diagnostics.contains("there is no process 2147483000"))
    }

    @Test func commandThatCannotBeRunFails() throws {
        let missing = try place.cfic("profile", "--", "./missing-command")
        #expect(missing.code == 1 && missing.output == "")
        #expect(missing.diagnostics.contains("./missing-command: No such file or directory"), "\(missing.diagnostics)")
        try place.write(Array("text".utf8), to: "text")
        let text = try place.cfic("profile", "--", "./text")
        #expect(text.code == 1 && text.diagnostics.contains("./text: Permission denied"), "\(text.diagnostics)")
    }

    @Test func commandsOwnFailureIsSaid() throws {
        let code = try place.cfic("profile", "--", "/bin/sh", "-c", "exit 3")
        #expect(
            code.code == 3 && code.diagnostics.contains("the command ended with exit code 3"), "\(code.diagnostics)")
        let signal = try place.cfic("profile", "--", "/bin/sh", "-c", "kill -9 $$")
        #expect(
            signal.code == 137 && signal.diagnostics.contains("the command was killed by signal 9"),
            "\(signal.diagnostics)")
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
        #expect(outcome.code == 1 && outcome.output == "", "\(outcome.diagnostics)")
        #expect(outcome.diagnostics.contains(message), "\(outcome.diagnostics)")
        #expect(!outcome.diagnostics.contains("Fatal error"))
    }

    // MARK: Ends

    @Test func durationEndsTheCommand() throws {
        let start = ContinuousClock.now
        let outcome = try place.shell("cfic profile -d 0.5 -- sleep 1234; pgrep -f '^sleep 1234$'")
        #expect(outcome.output == "" && outcome.code == 1, "the command is still there")
        #expect(outcome.diagnostics.contains(/[0-9] samples? in [0-9]/))
        #expect(ContinuousClock.now - start < .seconds(1000))
    }

    /// `nohup` ignores SIGHUP, and shells ignore SIGINT for background processes.
    @Test(arguments: ["INT", "TERM", "HUP"])
    func signalThatIsIgnoredStaysIgnored(signal: String) throws {
        let program = try Workplace.program()
        let outcome = try place.shell(
            """
            trap '' \(signal)
            mkfifo go; exec 3<> go
            \(program) profile -o stacks -- bash -c 'echo ready; read x < go; kill -\(signal) $$; echo alive' > said &
            profile=$!
            until grep -q ready said; do sleep 0.01; done
            # Time to exit, if it would.
            kill -\(signal) $profile; sleep 0.3; echo >&3; wait $profile; echo $?; cat said
            """)
        #expect(outcome.output == "0\nready\nalive\n", "\(outcome.output) \(outcome.diagnostics)")
    }

    /// The first signal ends the recording; the second exits at once.
    @Test func secondSignalEndsItAtOnce() throws {
        let program = try Workplace.program()
        // The command ignores the request to end, so that the profiler waits for it after the first signal.
        let outcome = try place.shell(
            """
            env --default-signal \(program) profile -F 999 -o stacks -- bash -c 'trap "" TERM; echo $$; while :; do :; done' > said &
            profile=$!
            until [ -s said ]; do sleep 0.01; done
            busy=$(cat said)
            \(Self.untilBusyRan)
            kill -INT $profile; sleep 0.3; kill -INT $profile; wait $profile 2>/dev/null; code=$?
            kill -KILL $(cat said); echo $code; ls
            """)
        #expect(outcome.output == "130\ncache\nsaid\n", "\(outcome.output) \(outcome.diagnostics)")
        #expect(outcome.diagnostics.contains("the profile was not written"), "\(outcome.diagnostics)")
    }

    /// The recording has ended and is being written to a pipe that nobody reads yet. A signal then is answered with the
    /// reason why the process doesn't exit.
    @Test(.timeLimit(.minutes(30)), arguments: [1, 2]) func signalWhileItWritesIsAnswered(signals: Int) throws {
        let program = try Workplace.program()
        let outcome = try place.shell(
            """
            bash -c 'while :; do :; done' & busy=$!
            mkfifo pipe
            env --default-signal \(program) profile -F 999 -o pipe -p $busy 2> said & profile=$!
            \(Self.untilItSamples)
            \(Self.untilBusyRan)
            kill -KILL $busy
            while ls -l /proc/$profile/fd | grep -q 'perf_event]'; do sleep 0.01; done
            kill -INT $profile; until grep -q 'Writing the profile' said; do sleep 0.01; done
            if [ \(signals) = 2 ]; then kill -INT $profile; else cat pipe > stacks; fi
            wait $profile 2>/dev/null; echo $?; cat said >&2
            """)
        let isLost = outcome.diagnostics.contains("the profile was not written")
        if signals == 1 {
            #expect(outcome.output == "0\n" && !isLost, "\(outcome.output) \(outcome.diagnostics)")
            expectFolded(String(decoding: try place.bytes(place.directory + "/stacks"), as: UTF8.self))
        } else {
            #expect(outcome.output == "130\n" && isLost, "\(outcome.output) \(outcome.diagnostics)")
        }
    }

    /// Nothing is recorded yet.
    @Test func signalDuringPreparationEndsItAtOnce() throws {
        let program = try Workplace.program()
        let outcome = try place.shell(
            """
            env --default-signal \(program) profile -o stacks -p $$ & profile=$!
            until grep -q 'cfic' /proc/$profile/comm; do :; done
            kill -INT $profile; wait $profile 2>/dev/null; echo $?; ls
            """)
        // Or it already records, and then writes its result.
        let ends = ["130\n", "130\ncache\n", "0\ncache\nstacks\n"]
        #expect(ends.contains(outcome.output), "\(outcome.output) \(outcome.diagnostics)")
    }

    @Test func itSaysWhatItDoesOnATerminalOnly() throws {
        try place.write(
            Array(
                """
                import os, pty, sys
                pid, terminal = pty.fork()
                if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
                text = b''
                try:
                    while chunk := os.read(terminal, 4096): text += chunk
                except OSError: pass
                os.waitpid(pid, 0)
                sys.stdout.write(text.decode())
                """.utf8), to: "terminal.py")
        let program = try Workplace.program()
        let outcome = try place.shell("python3 terminal.py \(program) profile -o stacks -d 0.2 -- sleep 0.1")
        for text in ["Loading the BPF programs", "Sampling 99 times a second", "Ctrl-C ends it", "Naming "] {
            #expect(outcome.output.contains(text), "\(outcome.output)")
        }
        let plain = try place.shell("cfic profile -o stacks -d 0.2 -- sleep 0.1")
        #expect(!plain.diagnostics.contains("Sampling "), "\(plain.diagnostics)")
    }

    @Test func zombieIsSaidToHaveEnded() throws {
        let outcome = try place.shell(
            """
            python3 -c 'import os, time
            p = os.fork()
            if p == 0: os._exit(0)
            os.waitid(os.P_PID, p, os.WEXITED | os.WNOWAIT)
            print(p, flush=True); time.sleep(1000)' > zombie & parent=$!
            until [ -s zombie ]; do sleep 0.01; done
            cfic profile -p $(cat zombie); echo $?; kill -KILL $parent
            """)
        #expect(
            outcome.output == "1\n" && outcome.diagnostics.contains("has ended and has no memory"),
            "\(outcome.diagnostics)")
    }

    /// Its first thread exits before it is sampled; the profile ends with its last thread.
    @Test func itEndsWithTheLastThread() throws {
        try place.write(
            Array(
                """
                #include <pthread.h>
                #include <unistd.h>
                static void *other(void *argument) { char c; (void)!read(0, &c, 1); return argument; }
                int main(void) { pthread_t thread; pthread_create(&thread, 0, other, 0); pthread_exit(0); }

                """.utf8), to: "leader.c")
        let outcome = try place.shell(
            """
            gcc -pthread -o leader leader.c && mkfifo go
            ./leader < go & leader=$!
            exec 3> go
            until grep -q 'State:.Z' /proc/$leader/status; do sleep 0.01; done
            \(Workplace.program()) profile -p $leader -o stacks 3>&- & profile=$!
            \(Self.untilItSamples)
            echo x >&3; wait $profile; echo $?
            """)
        #expect(
            outcome.output == "0\n" && outcome.diagnostics.contains(" in "), "\(outcome.output) \(outcome.diagnostics)")
    }

    @Test func durationLeavesAProcessAlone() throws {
        let outcome = try place.shell("sleep 1000 & cfic profile -d 0.3 -p $!; code=$?; kill -KILL $! && exit $code")
        #expect(outcome.code == 0, "\(outcome.diagnostics)")
    }

    @Test(arguments: ["INT", "TERM", "HUP"])
    func signalEndsItWithItsOutput(signal: String) throws {
        let program = try Workplace.program()
        let outcome = try place.shell(
            """
            bash -c 'while :; do :; done' & busy=$!
            # Shells make background processes ignore SIGINT.
            env --default-signal \(program) profile -F 999 -o stacks -p $busy & profile=$!
            \(Self.untilItSamples)
            \(Self.untilBusyRan)
            kill -\(signal) $profile; wait $profile; code=$?
            kill -KILL $busy || code=99
            exit $code
            """)
        #expect(outcome.code == 0, "\(outcome.diagnostics)")
        expectFolded(String(decoding: try place.bytes(place.directory + "/stacks"), as: UTF8.self))
    }

    @Test func itEndsWithTheProcess() throws {
        let outcome = try place.shell(
            """
            sleep 1000 & sleeper=$!
            \(try Workplace.program()) profile -p $sleeper & profile=$!
            \(Self.untilItSamples)
            kill -KILL $sleeper; wait $profile
            """)
        #expect(outcome.code == 0, "\(outcome.diagnostics)")
        #expect(outcome.diagnostics.contains(/[0-9] samples? in [0-9]/), "\(outcome.diagnostics)")
    }

    @Test func childrenOfACommandAreSampled() throws {
        let outcome = try place.shell("cfic profile -F 999 -- sh -c \"\(Self.busy); true\"")
        #expect(outcome.code == 0)
        expectFolded(outcome.output)
        #expect(outcome.diagnostics.contains(" complete\n"), "\(outcome.diagnostics)")
    }
}
