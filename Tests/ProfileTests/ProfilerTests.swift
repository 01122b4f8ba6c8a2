import Foundation
import KernelUnwinder
import LinuxProcess
@testable import Profile
import TableCompiler
import TableStore
import TableSupply
import TestFixtures
import Testing

/// Recordings as a program makes them.
@Suite(
    .enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"), .serialized, .timeLimit(.minutes(30)))
struct ProfilerTests {
    private func options(duration: Duration? = nil) -> Profiler.Options {
        var options = Profiler.Options()
        options.event = .clock
        options.frequency = 999
        options.duration = duration
        return options
    }

    private static func busy(_ turns: Int) -> [String] {
        ["/bin/bash", "-c", "for ((i = 0; i < \(turns); i++)); do :; done; exit 3"]
    }

    /// On a busy machine, a short command is over before the tables are made.
    @Test func commandIsRecordedToItsEnd() throws {
        var isComplete = false
        for turns in [100_000, 1_000_000, 10_000_000] where !isComplete {
            let profiler = Profiler(try KernelUnwinder(tables: CompilingSupply(store: nil)), options())
            var progress: [Profiler.Progress] = []
            profiler.onProgress = { progress.append($0) }
            let recording = try profiler.record(command: Self.busy(turns))
            #expect(recording.commandEnd == .exited(code: 3) && recording.stopReason == .targetEnded)
            #expect(recording.stacks.totals.samples > 20 && recording.seconds > 0.02)
            #expect(progress == [.sampling])
            #expect(try recording.counters.get().samples >= UInt64(recording.stacks.totals.samples))
            let names = Symbolizer(recording.processes)
            let complete = recording.stacks.counts.keys.filter { $0.command == "bash" && $0.outcome == .complete }
            #expect(complete.allSatisfy { $0.space.process == 0 })
            isComplete = complete.contains { stack in
                stack.userFrames.contains { names.name(of: $0, in: stack.space).hasPrefix("__libc_start_main") }
            }
            #expect(!isComplete || recording.memory.tables > 0)
        }
        #expect(isComplete)
    }

    /// Before the recording looks at anything that the command has mapped.
    @Test func tablesOfACommandsFilesAreMadeBeforeItRuns() throws {
        let fixture = try Fixture()
        let supply = CompilingSupply(store: try TableStore(directory: fixture.directory + "/cache"))
        let profiler = Profiler(try KernelUnwinder(tables: supply), options())
        profiler.tablePatience = .seconds(3600)
        var made: SupplyAnswers?
        profiler.onProgress = { if $0 == .sampling { made = supply.answers } }
        _ = try profiler.record(command: Self.busy(1))
        let files = ProgramFiles(of: ["/bin/bash"], until: .now + .seconds(3600)).images
        // Itself, the interpreter, and at least libc.
        #expect(files.count >= 3 && made?.found == 0)
        #expect(made.map { $0.made + $0.refused } == files.count)
    }

    @Test func commandWhoseFilesCannotBeFoundRuns() throws {
        let fixture = try Fixture()
        let path = try fixture.write(Array("exit 3\n".utf8), to: "text")
        chmod(path, 0o755)
        for patience in [Duration.zero, .seconds(3600)] {
            let profiler = Profiler(try KernelUnwinder(tables: CompilingSupply(store: nil)), options())
            profiler.tablePatience = patience
            #expect(try profiler.record(command: [path]).commandEnd == .exited(code: 3))
        }
    }

    @Test func commandThatIsNotDoneInTimeIsEnded() throws {
        let recording = try Profiler(
            try KernelUnwinder(tables: CompilingSupply(store: nil)), options(duration: .milliseconds(300))
        ).record(
            command: Self.busy(1_000_000_000))
        #expect(recording.stopReason == .timeUp && recording.commandEnd == nil)
        #expect(recording.elapsed >= .milliseconds(300) && recording.stacks.totals.samples > 20)
    }

    /// What it was to record is over; it would go on for hours.
    @Test func processesAreRecordedUntilItIsStopped() throws {
        let busy = try RunningProgram(Self.busy(1_000_000_000))
        let interruption = try Interruption()
        let profiler = Profiler(
            try KernelUnwinder(tables: CompilingSupply(store: nil)), options(), interruption: interruption)
        var progress: [Profiler.Progress] = []
        profiler.onProgress = { step in
            progress.append(step)
            if step == .sampling {
                Thread.detachNewThread {
                    usleep(300_000)
                    interruption.stop()
                }
            }
        }
        let recording = try profiler.record(processes: [busy.id])
        #expect(recording.stopReason == .requested(.call) && recording.commandEnd == nil)
        #expect(recording.stacks.totals.samples > 20)
        #expect(progress == [.reading(process: busy.id), .sampling])
        #expect(kill(busy.id, 0) == 0)
    }

    @Test func whatCannotBeRecordedIsATypedError() throws {
        let missing = #expect(throws: ProfileError.self) {
            try Profiler(try KernelUnwinder(tables: CompilingSupply(store: nil))).record(processes: [2_147_483_647])
        }
        guard case .unwinder(.process(.noSuchProcess(2_147_483_647))) = missing else {
            throw TestFailure("\(String(describing: missing))")
        }
        let command = #expect(throws: ProfileError.self) {
            try Profiler(try KernelUnwinder(tables: CompilingSupply(store: nil))).record(command: ["/missing/command"])
        }
        guard case .command("/missing/command", errno: ENOENT) = command else {
            throw TestFailure("\(String(describing: command))")
        }
    }
}
