import Glibc
import KernelUnwinder
import LinuxProcess

/// Records the stacks of processes, or of a command, until they have ended, time is up, or the end is asked for.
///
///     let unwinder = try KernelUnwinder(tables: CompilingSupply(store: nil))
///     let recording = try Profiler(unwinder).record(command: ["make"])
///     let names = Symbolizer(recording.programs)
///
/// Children that processes make later are sampled, too, if the unwinder follows them.
public final class Profiler {
    public struct Options: Sendable {
        /// What samples are taken by.
        public var event = KernelUnwinder.Event.cycles
        /// Samples a second on each CPU.
        public var frequency = 99
        /// How long samples are taken at most; nil: until there is nothing left to sample.
        public var duration: Duration?
        /// Whether stacks keep their process and its addresses. Memory is then proportional to the processes that were
        /// sampled, otherwise to the different stacks.
        public var tellsProcessesApart = false

        public init() {}
    }

    /// What takes time, for people who are waiting.
    public enum Progress: Equatable, Sendable {
        /// A process is read, and tables for what it maps are loaded.
        case reading(process: Int32)
        /// Samples are being taken from now on.
        case sampling
    }

    /// Called when something begins that takes time.
    public var onProgress: (Progress) -> Void = { _ in }

    private let unwinder: KernelUnwinder
    private let options: Options
    private let interruption: Interruption?

    /// - Parameters:
    ///   - unwinder: to be used for one recording, and open until its names were looked up.
    ///   - options: how to record.
    ///   - interruption: ends the recording from outside.
    public init(_ unwinder: KernelUnwinder, _ options: Options = Options(), interruption: Interruption? = nil) {
        self.unwinder = unwinder
        self.options = options
        self.interruption = interruption
    }

    /// Records running processes, until all of them, and their children, have ended.
    ///
    /// Raises this process's limit on open files to what it may have: each image that is mapped keeps its file open,
    /// for its names.
    ///
    /// - Parameter processes: their ids.
    /// - Returns: what was recorded; the stacks may be none.
    /// - Throws: ``ProfileError``, if one of them is no process or can't be read, too.
    public func record(processes: [Int32]) throws(ProfileError) -> Recording {
        Self.raiseFileLimit()
        let recorder = Recorder(unwinder, tellsProcessesApart: options.tellsProcessesApart)
        return try collectingProblems { () throws(ProfileError) in
            try ProfileError.ofUnwinder(unwinder.watchProcesses)
            for process in processes {
                do throws(ProcessError) {
                    try ProcessStatus.checkIsProcess(process)
                } catch { throw .unwinder(.process(error)) }
            }
            for process in processes {
                onProgress(.reading(process: process))
                try ProfileError.ofUnwinder { () throws(KernelError) in try recorder.add(process) }
            }
            return try record(recorder, start: { () throws(ProfileError) in }, hasEnded: { !recorder.isAnyoneLeft })
        }
    }

    /// Runs a command and records it, until it has ended; its children may go on. If the recording ends before, the
    /// command is asked to end by SIGTERM, and killed after two seconds. It is run with the limit on open files that
    /// this process had, which is raised then, as by ``record(processes:)``.
    ///
    /// - Parameter words: the program, looked up in `PATH`, and its arguments.
    /// - Returns: what was recorded; the stacks may be none.
    /// - Throws: ``ProfileError``.
    public func record(command words: [String]) throws(ProfileError) -> Recording {
        try ProfileError.ofUnwinder(unwinder.watchProcesses)
        let command = try Command(words)
        interruption?.setCommand(command.process)
        defer { interruption?.setCommand(nil) }
        defer { command.terminate() }
        Self.raiseFileLimit()
        let recorder = Recorder(unwinder, tellsProcessesApart: options.tellsProcessesApart)
        var recording = try collectingProblems { () throws(ProfileError) in
            try ProfileError.ofUnwinder { () throws(KernelError) in try unwinder.expectProcess(command.process) }
            return try record(recorder, start: command.run) {
                guard command.hasEnded() else { return false }
                // Its id may be another process's from now on.
                interruption?.setCommand(nil)
                return true
            }
        }
        recording.commandEnd = command.end
        return recording
    }

    private func record(
        _ recorder: Recorder, start: () throws(ProfileError) -> Void, hasEnded: () -> Bool
    ) throws(ProfileError) -> Recording {
        defer { unwinder.stop() }
        let event = try ProfileError.ofUnwinder { () throws(KernelError) in
            try unwinder.start(options.event, frequency: options.frequency)
        }
        let began = ContinuousClock.now
        interruption?.enter(.recording)
        try start()
        onProgress(.sampling)
        let loop = RecordingLoop(
            source: KernelSource(unwinder: unwinder, recorder: recorder, interruption: interruption),
            rule: StopRule(duration: options.duration), elapsed: { ContinuousClock.now - began })
        let (reason, elapsed) = try loop.run(hasTargetEnded: hasEnded, request: { interruption?.request })
        if recorder.stacks.totals.samples == 0 { interruption?.finish() }
        return Recording(
            stacks: recorder.stacks, programs: recorder.programs, event: event, elapsed: elapsed, stopReason: reason,
            counters: Result { () throws(KernelError) in try unwinder.counters() }, memory: unwinder.memoryUse,
            problems: recorder.problems)
    }

    /// Has a recording's problems begin with those that the unwinder tells of meanwhile.
    private func collectingProblems(_ body: () throws(ProfileError) -> Recording) throws(ProfileError) -> Recording {
        let told = unwinder.onProblem
        var problems: [String] = []
        unwinder.onProblem = { problem in
            problems.append(problem)
            told(problem)
        }
        defer { unwinder.onProblem = told }
        var recording = try body()
        recording.problems = problems + recording.problems
        return recording
    }

    private static func raiseFileLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}

/// Samples of the kernel unwinder.
private struct KernelSource: SampleSource {
    let unwinder: KernelUnwinder
    let recorder: Recorder
    let interruption: Interruption?

    func wait() { unwinder.wait(milliseconds: 50, or: interruption?.descriptor ?? -1) }

    func collect() throws(ProfileError) {
        try ProfileError.ofUnwinder { () throws(KernelError) in try recorder.collect() }
    }

    func stop() {
        interruption?.enter(.finishing)
        unwinder.stop()
    }
}
