import ELF
import Files
import Glibc
import KernelUnwinder
import LinuxProcess
@testable import Profile
import TableCompiler
import TestFixtures
import Testing

/// Code that processes generate has the names that they give it.
@Suite struct GeneratedCodeTests {
    /// A process with a perf map, whose memory is made up.
    private struct RunningProgramWithMap: ~Copyable {
        let running: RunningProgram
        var path: String { "/tmp/perf-\(running.id).map" }

        init() throws { running = try RunningProgram(["/bin/cat"]) }

        deinit { unlink("/tmp/perf-\(running.id).map") }

        func write(_ text: String) throws {
            let file = try #require(fopen(path, "w"))
            fputs(text, file)
            fclose(file)
        }
    }

    private static func histories() -> ProcessHistories {
        ProcessHistories(openNames: GeneratedCode.openFiles)
    }

    private func resolved(
        _ processes: inout ProcessHistories, _ process: Int32, at time: UInt64 = 200, _ frames: [Sample.Frame]
    ) -> Stacks.Stack {
        var stack = Stacks.Stack(
            space: AddressSpace(process: process), command: "thread", kernelFrames: [], userFrames: frames,
            end: StackEnd(code: 1))
        processes.resolve(&stack, at: time, unwoundBy: nil)
        stack.space.process = 0
        return stack
    }

    private func names(_ stack: Stacks.Stack, _ processes: ProcessHistories) -> [String] {
        let symbolizer = Symbolizer(processes)
        return stack.userFrames.map { symbolizer.name(of: $0, in: stack.space) }
    }

    private static var memory: ProcessImages {
        FakeImages.named([(0x1000, ""), (0x5000, "[heap]"), (0x7000, "/memfd:code (deleted)")])
    }

    @Test func memoryWithoutAnImageIsNamedByTheMap() throws {
        let program = try RunningProgramWithMap()
        try program.write("1000 10 f\n5000 10 g\n7000 10 h\n9000 10 i\n")
        var processes = Self.histories()
        processes.note(Self.memory, of: program.running.id)
        let stack = resolved(
            &processes, program.running.id,
            [
                Sample.Frame(0x1000, isExact: true), Sample.Frame(0x1010), Sample.Frame(0x1010, isExact: true),
                Sample.Frame(0x5008), Sample.Frame(0x7008), Sample.Frame(0x9008), Sample.Frame(0xa000),
            ])
        // The file is read at the end, and the process may have ended by then.
        try program.write("1000 10 f2\n5000 10 g\n7000 10 h\n9000 10 i\n")
        unlink(program.path)
        program.running.end()
        #expect(names(stack, processes) == ["f2", "f2", "[anonymous]", "g", "h", "i", "[unknown]"])
    }

    @Test func processWithoutAMapIsAskedAgainAfterASecond() throws {
        let program = try RunningProgramWithMap()
        var processes = Self.histories()
        processes.note(Self.memory, of: program.running.id)
        func names(at time: UInt64) -> [String] {
            let stack = resolved(&processes, program.running.id, at: time, [Sample.Frame(0x1008, isExact: true)])
            return self.names(stack, processes)
        }
        #expect(names(at: 200) == ["[anonymous]"])
        try program.write("1000 10 f\n")
        #expect(names(at: 1_000_000_199) == ["[anonymous]"])
        #expect(names(at: 1_000_000_200) == ["f"])
    }

    /// Stacks of different processes are one if they have the same code; not if they generated it.
    @Test func processesHaveTheirOwnCode() throws {
        let one = try RunningProgramWithMap(), other = try RunningProgramWithMap()
        try one.write("1000 10 f\n")
        try other.write("1000 10 g\n")
        var processes = Self.histories()
        for process in [one.running.id, other.running.id] { processes.note(Self.memory, of: process) }
        let frames = [Sample.Frame(0x1000, isExact: true)]
        let stacks = [one.running.id, other.running.id].map { resolved(&processes, $0, frames) }
        #expect(stacks[0] != stacks[1] && stacks.map { names($0, processes) } == [["f"], ["g"]])
        #expect(resolved(&processes, one.running.id, frames) == stacks[0])
    }

    @Test func fileThatIsNotOneIsAProblem() throws {
        let program = try RunningProgramWithMap()
        try #require(mkfifo(program.path, 0o600) == 0)
        var processes = Self.histories()
        processes.note(Self.memory, of: program.running.id)
        let stack = resolved(&processes, program.running.id, [Sample.Frame(0x1000, isExact: true)])
        #expect(names(stack, processes) == ["[anonymous]"])
        #expect(Symbolizer(processes).problems == ["\(ProcessError.untrustedNames(program.running.id, program.path))"])
    }

    /// Until enough samples are in code with a name that starts so.
    private func record(
        _ process: Int32, tellsProcessesApart: Bool = true, until isEnough: (Recorder) -> Bool
    ) throws -> Recorder {
        let unwinder = try KernelUnwinder(tables: CompilingSupply(store: nil))
        defer { unwinder.close() }
        let recorder = Recorder(unwinder, tellsProcessesApart: tellsProcessesApart)
        try unwinder.watchProcesses()
        try recorder.add(process)
        try unwinder.start(.clock, frequency: 999)
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(60), !isEnough(recorder) {
            unwinder.wait(milliseconds: 20)
            try recorder.collect()
        }
        unwinder.stop()
        return recorder
    }

    private static func innermost(_ recorder: Recorder) -> [String: Int] {
        let symbolizer = Symbolizer(recorder.processes)
        var counts: [String: Int] = [:]
        for (stack, count) in recorder.stacks.counts {
            guard let frame = stack.userFrames.first else { continue }
            counts[symbolizer.name(of: frame, in: stack.space), default: 0] += count
        }
        return counts
    }

    @Test(.enabled(if: LiveProgram.canRun, "\(LiveProgram.need)"), arguments: [true, false], [true, false])
    func programThatNamesItsCode(tellsProcessesApart: Bool, writesDump: Bool) throws {
        let fixture = try Fixture()
        try run(
            words: ["gcc"] + LiveProgram.optimised
                + ["-o", fixture.directory + "/generated", LiveProgram.sources + "/generated.c"])
        let program = try LiveProgram(fixture, "generated", writesDump ? [fixture.directory] : [])
        let map = writesDump ? "\(fixture.directory)/jit-\(program.id).dump" : "/tmp/perf-\(program.id).map"
        defer { unlink(map) }
        #expect(try program.running.line() == "ready")
        let recorder = try record(program.id, tellsProcessesApart: tellsProcessesApart) {
            $0.stacks.totals.samples >= 100
        }
        unlink(map)
        program.running.end()
        let names = Self.innermost(recorder)
        #expect(names["JS:*first /app/main.js:1:1", default: 0] >= 10, "\(names)")
        #expect(names["second;\u{1b}[1m", default: 0] >= 10, "\(names)")
        #expect(names["[anonymous]"] == nil && names["Interpreter"] == nil, "\(names)")
    }

    private static let node = "/usr/bin/node"

    @Test(
        .enabled(if: LiveProgram.canRun, "\(LiveProgram.need)"),
        .enabled(if: access(node, X_OK) == 0, "node is not installed"))
    func functionOfNode() throws {
        let source = """
            function busy(n) { let s = 0; for (let i = 0; i < n; i++) s = (s * 31 + i) | 0; return s }
            for (;;) busy(1e6)
            """
        let fixture = try Fixture()
        let script = try fixture.write(Array(source.utf8), to: "busy.js")
        let log = "--logfile=\(fixture.directory)/v8.log"
        let program = try LiveProgram([Self.node, "--perf-basic-prof", "--no-logfile-per-isolate", log, script])
        defer { unlink("/tmp/perf-\(program.id).map") }
        func count(_ recorder: Recorder) -> Int {
            Self.innermost(recorder).reduce(0) { $1.key.contains("busy ") ? $0 + $1.value : $0 }
        }
        let recorder = try record(program.id) { $0.stacks.totals.samples >= 200 && count($0) >= 50 }
        #expect(count(recorder) >= 50, "\(Self.innermost(recorder))")
    }
}
