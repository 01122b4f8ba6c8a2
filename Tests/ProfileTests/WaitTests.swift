import Foundation
@testable import KernelUnwinder
import LinuxProcess
@testable import Profile
import TableCompiler
import TestFixtures
import Testing

/// Waits of programs that measure them by their own clock.
@Suite(.enabled(if: LiveProgram.canRun, "\(LiveProgram.need)"), .serialized, .timeLimit(.minutes(30)))
struct WaitTests {
    // MARK: Sums

    @Test func sumsAreWhatTheProgramMeasured() throws {
        let count = 200
        let found = try KnownWaits(microseconds: 2000, count: count)
        for name in ["wait_nanosleep", "wait_futex", "wait_pipe"] {
            let measured = try #require(found.measured[name])
            // A thread that is preempted on its way to a wait may find that it needn't wait any more.
            #expect((count * 95 / 100...count).contains(found.samples(in: name)), "\(name)")
            // The program's clock includes the system call.
            #expect((0.95 * measured.length...measured.length).contains(found.waited(in: name)), "\(name)")
        }
    }

    @Test func stackLeadsFromTheSchedulerToTheThreadsStart() throws {
        let found = try KnownWaits(microseconds: 200, count: 20, "nanosleep")
        let stacks = found.all.filter { $0.functions.contains("wait_nanosleep") }
        #expect(!stacks.isEmpty)
        for stack in stacks {
            #expect(stack.stack.isWaiting && stack.stack.outcome == .complete)
            let text = stack.functions.reversed().joined(separator: ";")
            #expect(text.contains(/^_start;.*;main;repeat;wait_nanosleep;sleep_innermost;nanosleep/), "\(text)")
            let kernel = stack.kernelFunctions
            #expect(kernel.first == "__schedule_[k]" && kernel.contains { $0.contains("nanosleep") }, "\(kernel)")
        }
    }

    /// The bound follows from the lengths, which the program knows: each wait is in the sum with the length divided by
    /// the share, or not at all.
    @Test func sumsOfAShareAreUnbiased() throws {
        let share = 0.1, count = 20_000
        let found = try KnownWaits(microseconds: 20, count: count, "nanosleep") { $0.share = share }
        let measured = try #require(found.measured["wait_nanosleep"])
        let deviation = (measured.squares * (1 - share) / share).squareRoot()
        let waited = found.waited(in: "wait_nanosleep")
        // The system calls between the waits take a few microseconds each.
        let overhead = Double(count) * 15_000
        #expect(waited <= measured.length + 7 * deviation, "\(waited) of \(measured)")
        #expect(waited >= measured.length - overhead - 7 * deviation, "\(waited) of \(measured)")
        let expected = Double(count) * share
        #expect(abs(Double(found.samples(in: "wait_nanosleep")) - expected) < 7 * expected.squareRoot())
    }

    @Test func shareIsChosenSoThatSamplesStayFew() throws {
        let count = 60_000
        let found = try KnownWaits(microseconds: 1, count: count, "nanosleep") { $0.share = nil }
        let samples = found.samples(in: "wait_nanosleep")
        #expect(samples > 100 && samples < count / 2)
        let measured = try #require(found.measured["wait_nanosleep"])
        // Only that they are weighted: the shares, and so the deviation, aren't known here.
        let waited = found.waited(in: "wait_nanosleep")
        #expect(waited > measured.length / 3 && waited < measured.length * 3, "\(waited) of \(measured)")
    }

    /// Within a round, the share of a CPU is quartered by each budget of samples. The next round begins with all of it.
    @Test func burstIsSampledLessAndLess() throws {
        let turns = """
            import sys, time
            for line in iter(sys.stdin.readline, ""):
                for turn in range(4000): time.sleep(1e-6)
                print("done", flush=True)
            """
        let program = try RunningProgram(["/usr/bin/taskset", "-c", "0", "/usr/bin/python3", "-c", turns])
        func burst() throws {
            try program.write("begin\n")
            #expect(try program.line() == "done")
        }
        // Python has begun, and waits for the next line.
        try burst()
        let recorder = try WaitRecorder(of: program.id) { $0.share = nil }
        let unwinder = recorder.unwinder
        let budget = Int(try #require(unwinder.options.waits?.budget))
        for _ in 0..<2 {
            // All rounds without a wait, so that the next one begins with all waits. Nothing is read in a burst, so it is in
            // one round.
            for _ in 0..<16 {
                usleep(UInt32(WaitSampler.round * 1.1e6))
                try unwinder.readSamples { _ in }
            }
            try burst()
            var counts: [Double: Int] = [:]
            try unwinder.readSamples { counts[$0.share, default: 0] += 1 }
            let found = counts.sorted { $0.key > $1.key }
            var expected = 1.0
            for (share, count) in found.dropLast() {
                #expect(share == expected && count == budget, "\(counts)")
                expected /= 4
            }
            let last = try #require(found.last)
            #expect(last.key == expected && last.value <= budget, "\(counts)")
            #expect(found.count >= 3)
        }
        #expect(try unwinder.counters().lost == 0)
    }

    @Test func shorterWaitsAreLeftOut() throws {
        // A thread that is preempted just before it waits may find its time over when it comes back, and doesn't wait then.
        var long = 0
        for _ in 0..<5 where long != 5 {
            long = try KnownWaits(microseconds: 20_000, count: 5, "nanosleep") { $0.minimum = 10_000_000 }
                .samples(in: "wait_nanosleep")
        }
        #expect(long == 5)
        let short = try KnownWaits(microseconds: 20_000, count: 5, "nanosleep") { $0.minimum = 60_000_000_000 }
        #expect(short.samples(in: "wait_nanosleep") == 0)
    }

    /// The thread that answers requests waits for the first one all the time.
    @Test func waitThatDoesNotEndCountsUntilTheEnd() throws {
        let found = try KnownWaits(microseconds: 100_000, count: 3, "pipe")
        let unended = found.all.filter { $0.functions.contains("answer_requests") && $0.functions.contains("read") }
        #expect(unended.reduce(0) { $0 + $1.waited } > 0)
        #expect(unended.reduce(0) { $0 + $1.waited } < Double(found.elapsed))
    }

    // MARK: What is no wait

    /// Two threads that share a CPU are preempted all the time.
    @Test func preemptedThreadsDoNotWait() throws {
        let programs = try (0..<2).map { _ in
            try RunningProgram([
                "/usr/bin/taskset", "-c", "0", "/bin/bash", "-c", "echo begun; while :; do :; done",
            ])
        }
        for program in programs { _ = try program.line() }
        func preemptions() throws -> Int {
            let status = try String(contentsOfFile: "/proc/\(programs[0].id)/status", encoding: .utf8)
            let line = status.split(separator: "\n").first { $0.hasPrefix("nonvoluntary_ctxt_switches:") }
            return try #require(line.flatMap { Int($0.split(separator: "\t")[1]) })
        }
        let recorder = try WaitRecorder(of: programs[0].id)
        let before = try preemptions()
        while try preemptions() < before + 50 { try recorder.collect() }
        try recorder.end()
        #expect(recorder.recorder.stacks.totals.samples <= 5)
    }

    @Test func runningThreadsAreSampledBesides() throws {
        let program = try RunningProgram([
            "/bin/bash", "-c", "while :; do read -t 0.001; for i in {1..999}; do :; done; done",
        ])
        let recorder = try WaitRecorder(of: program.id)
        try recorder.unwinder.start(.clock, frequency: 999)
        func counts() -> (running: Int, waiting: Int) {
            let totals = recorder.recorder.stacks.totals
            return (totals.samples - totals.waits, totals.waits)
        }
        let start = ContinuousClock.now
        while counts().running < 50 || counts().waiting < 50, ContinuousClock.now - start < .seconds(60) {
            try recorder.collect()
        }
        try recorder.end()
        #expect(counts().running >= 50 && counts().waiting >= 50)
        let stacks = recorder.recorder.stacks
        for (stack, _) in stacks.counts { #expect((stacks.waited[stack] != nil) == stack.isWaiting) }
    }
}

/// Samples a process's waits.
private final class WaitRecorder {
    let unwinder: KernelUnwinder
    let recorder: Recorder
    private let began: UInt64

    init(of process: Int32, _ change: (inout WaitSampling) -> Void = { _ in }) throws {
        var options = KernelUnwinder.Options()
        var sampling = WaitSampling()
        sampling.share = 1
        change(&sampling)
        options.waits = sampling
        options.sampleBytes = 8 << 20
        unwinder = try KernelUnwinder(tables: CompilingSupply(store: nil), options)
        recorder = Recorder(unwinder, keepsTimes: true)
        try unwinder.watchProcesses()
        try recorder.add(process)
        began = MonotonicClock.now
        try unwinder.startWaits()
    }

    func collect() throws {
        unwinder.wait(milliseconds: 20)
        try recorder.collect()
    }

    func end() throws {
        unwinder.stop()
        try recorder.collect()
        recorder.endWaits()
        try recorder.expectTimeline(from: began)
        #expect(try unwinder.counters().lost == 0)
        unwinder.close()
    }
}

/// The waits of testdata/programs/waits.c, as it measured them, and as they were sampled.
private struct KnownWaits {
    struct Measured {
        var count: Int
        /// Nanoseconds.
        var length: Double
        /// The sum of the squares of the lengths.
        var squares: Double
    }

    struct Sampled {
        var stack: Stacks.Stack
        var count: Int
        /// Nanoseconds.
        var waited: Double
        /// Innermost first.
        var functions: [String]
        var kernelFunctions: [String]
    }

    var measured: [String: Measured] = [:]
    var all: [Sampled] = []
    /// Nanoseconds.
    var elapsed: UInt64

    init(
        microseconds: Int, count: Int, _ kind: String? = nil, _ change: (inout WaitSampling) -> Void = { _ in }
    ) throws {
        let fixture = try Fixture()
        try run(
            words: ["gcc"] + LiveProgram.optimised + ["-pthread", "-o", "waits", "\(LiveProgram.sources)/waits.c"],
            in: fixture.directory)
        let program = try LiveProgram(fixture, "waits", ["\(microseconds)", "\(count)"] + (kind.map { [$0] } ?? []))
        _ = try program.running.line()
        let recorder = try WaitRecorder(of: program.id, change)
        let start = MonotonicClock.now
        try program.running.write("\n")
        while true {
            try recorder.collect()
            guard let line = try program.running.lineIfAny() else { continue }
            let words = line.split(separator: " ")
            if words == ["end"] { break }
            try #require(words.count == 4)
            measured[String(words[0])] = Measured(
                count: Int(words[1]) ?? 0, length: Double(words[2]) ?? 0, squares: Double(words[3]) ?? 0)
        }
        try recorder.end()
        elapsed = MonotonicClock.now - start
        let stacks = recorder.recorder.stacks, names = Symbolizer(recorder.recorder.processes)
        all = stacks.counts.map { stack, count in
            Sampled(
                stack: stack, count: count, waited: stacks.waited[stack] ?? 0,
                functions: stack.userFrames.map { names.name(of: $0, in: stack.space) },
                kernelFunctions: stack.kernelFrames.map(names.kernelName))
        }
    }

    /// Sums over the stacks with a function.
    func waited(in function: String) -> Double {
        all.reduce(0) { $1.functions.contains(function) ? $0 + $1.waited : $0 }
    }
    func samples(in function: String) -> Int {
        all.reduce(0) { $1.functions.contains(function) ? $0 + $1.count : $0 }
    }
}
