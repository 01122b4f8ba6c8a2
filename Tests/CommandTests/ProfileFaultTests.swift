import Foundation
import enum TestFixtures.HostKernel
import Testing

/// What can go wrong beside a running `cfic profile`: it goes on, or stops cleanly, and says what it lost.
@Suite(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"), .serialized, .timeLimit(.minutes(30)))
struct ProfileFaultTests {
    private let place: Workplace
    private static let busy = "bash -c 'while :; do :; done'"

    init() throws { place = try Workplace() }

    /// Whether there can be mounts that end with the process that made them.
    static let canMount: Bool = {
        let outcome = try? Workplace().shell("unshare -m --propagation private true")
        return outcome?.code == 0
    }()

    private struct Report: Decodable {
        struct Stack: Decodable {
            var thread: String, outcome: String, samples: Int
        }
        var samples: Int, lostSamples: Int, completeStacks: Int
        var stacks: [Stack]

        func complete(_ thread: String) -> Int {
            stacks.reduce(0) { $1.thread == thread && $1.outcome == "complete" ? $0 + $1.samples : $0 }
        }
    }

    private func report(_ path: String) throws -> Report {
        try JSONDecoder().decode(Report.self, from: Data(try place.bytes("\(place.directory)/\(path)")))
    }

    /// Runs a command line where `full` is a file system without room.
    private func withFullDisk(_ command: String) throws -> Outcome {
        let text = """
            mkdir full elsewhere; mount -t tmpfs -o size=64k,mode=755 tmpfs full || exit 70
            head -c 100000 /dev/zero > full/filler 2> /dev/null
            export TMPDIR=$PWD/elsewhere
            \(command); echo "code $?"; find full -type f
            """
        try place.write(Array(text.utf8), to: "command")
        return try place.shell("unshare -m --propagation private bash command")
    }

    /// The tables are used nevertheless.
    @Test(.enabled(if: canMount, "needs mounts of its own"))
    func fullDiskOfTheCacheIsSaidAndCostsOnlyTheCache() throws {
        let program = try Workplace.program()
        let outcome = try withFullDisk("\(program) profile --cache full -F 999 -d 1 --json -o stacks -- \(Self.busy)")
        #expect(outcome.output == "code 0\nfull/filler\n", "\(outcome.diagnostics)")
        let said = outcome.diagnostics.split(separator: "\n").filter { $0.contains("its table could not be stored") }
        #expect(said.contains { $0.contains("libc.so.6: ") && $0.contains("No space left on device") }, "\(said)")
        let report = try report("stacks")
        #expect(report.samples > 20 && report.complete("bash") > 20)
    }

    @Test(.enabled(if: canMount, "needs mounts of its own"))
    func fullDiskOfTheStacksLeavesNoPartOfThem() throws {
        let program = try Workplace.program()
        let outcome = try withFullDisk("\(program) profile -F 999 -d 1 -o full/stacks -- \(Self.busy)")
        #expect(outcome.output == "code 1\nfull/filler\n", "\(outcome.diagnostics)")
        #expect(outcome.diagnostics.contains("full/stacks: cannot write: No space left on device"))
        #expect(outcome.diagnostics.contains("; the profile was saved to \(place.directory)/elsewhere/"))
    }

    /// The profile is there nevertheless. The file may have had room for earlier counters.
    @Test(
        .enabled(if: canMount, "needs mounts of its own"),
        arguments: [
            "profile -o stacks --counters full/c.json -- true", "profile -o stacks --counters full/c.json -- false",
            "validate --live -d 1 --min-agreement 0 --counters full/c.prom -- \(busy)",
        ])
    func fullDiskOfTheCountersIsAFailure(command: String) throws {
        let program = try Workplace.program()
        let outcome = try withFullDisk("\(program) \(command) > report; code=$?; cat report; (exit $code)")
        #expect(outcome.output.hasSuffix("code 1\nfull/filler\n"), "\(outcome.diagnostics)")
        let said = outcome.diagnostics.split(separator: "\n").filter { $0.contains("full/c.") }
        #expect(said.count == 1 && said[0].contains("cannot write: No space left on device"), "\(said)")
        let results = command.hasPrefix("profile") ? try place.bytes("\(place.directory)/stacks") : nil
        #expect(results != nil || outcome.output.contains(" agree, "))
    }

    /// Whatever the limit on open files is, there is a result or a message that says what to raise; never a message about
    /// something else that failed for want of a descriptor.
    @Test func tooFewOpenFilesAreSaid() throws {
        let text = """
            for limit in 4 8 12 16 20 24 28 32 36 40 44 48; do
                (ulimit -n $limit; exec "\(try Workplace.program())" profile --cache cache -o stacks -- true 2> said)
                code=$?
                if [ $code = 1 ]; then cat said; else echo "code $code with $limit"; fi
            done
            """
        let outcome = try place.shell(text)
        let said = outcome.output.split(separator: "\n")
        // Four descriptors may not even be enough to start.
        for line in said.dropFirst() {
            let isMessage = line.hasPrefix("cfic: ") && line.hasSuffix(" are needed: raise the limit (ulimit -n)")
            #expect(isMessage || line.hasPrefix("code 0 with "), "\(line)")
        }
        #expect(said.contains { $0.hasPrefix("cfic: 16 open files are too few") }, "\(outcome.output)")
        let enough = try place.shell("ulimit -n 512; cfic profile --cache cache -o stacks -- true")
        #expect(enough.code == 0, "\(enough.diagnostics)")
    }

    /// Whether the memory that a user may lock for events is enough for one profiler and not for two: KiB on each CPU.
    static let oneProfilerFits: Bool = {
        let text = (try? String(contentsOfFile: "/proc/sys/kernel/perf_event_mlock_kb", encoding: .utf8)) ?? ""
        let isLimited = (try? String(contentsOfFile: "/proc/sys/kernel/perf_event_paranoid", encoding: .utf8)) ?? "-1"
        return (270..<520).contains(Int(text.dropLast()) ?? 0) && !isLimited.hasPrefix("-") && canMount
    }()

    /// A user without CAP_IPC_LOCK may lock only so much for all profilers together.
    @Test(.enabled(if: oneProfilerFits, "needs root, and the usual kernel.perf_event_mlock_kb"))
    func tooLittleLockedMemoryIsSaid() throws {
        // No other test runs something as this user.
        let text = """
            chmod 755 .. .; unset -f cfic; ulimit -l 0
            as() { setpriv --reuid=64321 --regid=64321 --clear-groups --inh-caps=-all,+bpf,+perfmon,+sys_ptrace \
                --ambient-caps=-all,+bpf,+perfmon,+sys_ptrace --bounding-set=-all,+bpf,+perfmon,+sys_ptrace "$@"; }
            as \(try Workplace.program()) profile -o /dev/null -- cat > said 2>&1 < <(as tail -f /dev/null) & first=$!
            until [ -n "$(pgrep -u 64321 -x cat)" ]; do [ -d /proc/$first ] || { cat said; exit 70; }; sleep 0.05; done
            as \(try Workplace.program()) profile -o /dev/null -- true; echo "code $?"
            pkill -u 64321 -x cat; wait $first; echo "code $?"; pkill -u 64321 -x tail
            as \(try Workplace.program()) profile -o /dev/null -- true; echo "code $?"
            """
        let outcome = try place.shell(text)
        #expect(outcome.output.split(separator: "\n").prefix(1) == ["code 1"], "\(outcome.diagnostics)")
        #expect(outcome.output.hasSuffix("code 0\n"), "\(outcome.diagnostics)")
        #expect(
            outcome.diagnostics.contains("this user may not lock the 260 KiB of memory on each CPU that the events of"))
        #expect(outcome.diagnostics.contains("raise kernel.perf_event_mlock_kb or"))
    }

    /// Before and after it, programs begin whose tables are missing.
    @Test func cacheCanBeRemovedWhileItIsInUse() throws {
        try place.write(Array("for i in range(3000000): pass\n".utf8), to: "turns.py")
        let outcome = try place.shell(
            """
            cfic profile -F 999 --json -o stacks -- bash -c 'for ((i = 0; i < 100000; i++)); do :; done
                mv cache removed; rm -rf removed; python3 turns.py'
            """)
        #expect(outcome.code == 0 && outcome.isOrderly, "\(outcome.diagnostics)")
        let report = try report("stacks")
        #expect(report.complete("bash") > 5 && report.complete("python3") > 5, "\(outcome.diagnostics)")
        // The new cache is as good as any.
        #expect(try place.cfic("verify", place.cache).code == 0)
    }

    /// Whatever is read of a process at that moment, and also if it is not there any more.
    @Test func processCanBeKilledAtAnyTime() throws {
        for delay in 0..<10 {
            let outcome = try place.shell(
                """
                \(Self.busy) & busy=$!
                (sleep 0.\(delay * 4 + 10); kill -KILL $busy) &
                cfic profile -F 999 -p $busy -d 20 -o stacks; echo $?; rm -f stacks
                """)
            let (output, diagnostics) = (outcome.output, outcome.diagnostics)
            #expect(
                output == "0\n" || (output == "1\n" && diagnostics.contains("there is no process ")),
                "\(delay): \(output) \(diagnostics)")
            #expect(outcome.isOrderly, "\(diagnostics)")
        }
    }
}
