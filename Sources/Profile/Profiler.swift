import ELF
import Glibc
import KernelUnwinder
import LinuxProcess

/// Records the stacks of processes or of a command until they end, the time is up, or an ``Interruption`` stops it.
///
///     let unwinder = try KernelUnwinder(tables: CompilingSupply(store: nil))
///     let recording = try Profiler(unwinder).record(command: ["make"])
///     let names = Symbolizer(recording.processes)
///
/// Child processes that start later are sampled, too, if the unwinder follows them.
public final class Profiler {
    /// How samples are taken.
    public struct Options: Sendable {
        /// The event that triggers samples; nil for `SamplingEvent.best`. For a tracepoint, the unwinder must have been made
        /// for it: ``/KernelUnwinder/KernelUnwinder/Options/tracepointPeriod``.
        public var event: SamplingEvent?
        /// Samples of running threads per second on each CPU. 0: running threads are not sampled. Ignored if there is a
        /// `period`.
        public var frequency = 99
        /// N: each Nth event on each CPU triggers a sample, which stands for N events. Nil: `frequency` says how often.
        public var period: Int?
        /// Whether waits are sampled. The unwinder must have been made for it:
        /// ``/KernelUnwinder/KernelUnwinder/Options/waits``.
        public var samplesWaits = false
        /// The maximum duration; nil for no limit.
        public var duration: Duration?
        /// Whether stacks keep their process and its addresses. Memory is then proportional to the number of sampled
        /// processes, otherwise to the number of different stacks.
        public var tellsProcessesApart = false
        /// Whether frames stay where they were sampled, as for ``Recorder``.
        public var tellsInstructionsApart = true
        /// Whether the recording has a ``Recording/timeline``. Memory then grows with each sample, by about nine bytes.
        public var keepsTimes = false

        /// Finds separate debug files, as for ``Recorder``; nil for none.
        public var debugFiles: DebugFileSearch? = DebugFileSearch()

        /// The defaults.
        public init() {}

        /// Nil if running threads are not sampled.
        var rate: SamplingRate? { period.map { .period($0) } ?? (frequency > 0 ? .frequency(frequency) : nil) }
    }

    /// Steps that take time, for a user who is waiting.
    public enum Progress: Equatable, Sendable {
        /// A process's mappings are being read, and their tables loaded.
        case reading(process: Int32)
        /// Sampling has begun.
        case sampling
    }

    /// Called at the beginning of each step.
    public var onProgress: (Progress) -> Void = { _ in }

    /// Called with the counters every few seconds while samples are taken, and with the final ones at the end.
    public var onCounters: ((RecordingCounters) -> Void)?

    /// Takes the recording in intervals, from the first one to the last. The recording that is returned is empty then.
    public var intervals: (any IntervalReceiver)?

    /// Called a few times a second while samples are taken.
    public var onStatus: ((RecordingStatus) -> Void)?

    /// Sees all samples of the recording.
    package var observer: (any SampleObserver)?

    /// How long a command waits for the tables of its files, at most.
    var tablePatience = Duration.seconds(1)

    private let unwinder: KernelUnwinder
    private let options: Options
    private let interruption: Interruption?

    /// - Parameters:
    ///   - unwinder: the source of samples, used for a single recording.
    ///   - options: how to record.
    ///   - interruption: stops the recording from outside.
    public init(_ unwinder: KernelUnwinder, _ options: Options = Options(), interruption: Interruption? = nil) {
        self.unwinder = unwinder
        self.options = options
        self.interruption = interruption
    }

    /// Records running processes until all of them and their children have ended.
    ///
    /// Raises this process's soft limit on open files to the hard limit, because each mapped image keeps its file open,
    /// for names.
    ///
    /// - Parameter processes: the process ids.
    /// - Returns: the recording, perhaps without any stack.
    /// - Throws: ``ProfileError``, also if an id is not that of a process, or if a process can't be read.
    public func record(processes: [Int32]) throws(ProfileError) -> Recording {
        Self.raiseFileLimit()
        let recorder = makeRecorder()
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

    /// Records all processes and kernel threads of the machine. The unwinder must have been made with
    /// ``KernelUnwinder/KernelUnwinder/Options/samplesEveryone``. A process's mappings are read after its first sample.
    ///
    /// Raises the limit on open files as ``record(processes:)`` does.
    ///
    /// - Returns: the recording, perhaps without any stack.
    /// - Throws: ``ProfileError``.
    public func recordEveryone() throws(ProfileError) -> Recording {
        Self.raiseFileLimit()
        let recorder = makeRecorder()
        return try collectingProblems { () throws(ProfileError) in
            try record(recorder, start: { () throws(ProfileError) in }, hasEnded: { false })
        }
    }

    /// Runs a command and records it until it ends; its children may go on. If the recording ends earlier, the command
    /// gets SIGTERM, and SIGKILL two seconds later.
    ///
    /// The tables of its executable and its libraries are made first; for at most a second the command waits for them.
    ///
    /// Raises the limit on open files as ``record(processes:)`` does, but not for the command.
    ///
    /// - Parameter words: the program, looked up in `PATH`, and its arguments.
    /// - Returns: the recording, perhaps without any stack.
    /// - Throws: ``ProfileError``.
    public func record(command words: [String]) throws(ProfileError) -> Recording {
        try ProfileError.ofUnwinder(unwinder.watchProcesses)
        let command = try Command(words)
        interruption?.setCommand(command.process)
        defer { interruption?.setCommand(nil) }
        defer { command.terminate() }
        Self.raiseFileLimit()
        let recorder = makeRecorder()
        var recording = try collectingProblems { () throws(ProfileError) in
            try ProfileError.ofUnwinder { () throws(KernelError) in try unwinder.expectProcess(command.process) }
            let deadline = ContinuousClock.now + tablePatience
            unwinder.expect(ProgramFiles(of: words, until: deadline).images, in: command.process, until: deadline)
            return try record(recorder, start: command.run) {
                guard command.hasEnded() else { return false }
                // Its id may be reused from now on.
                interruption?.setCommand(nil)
                return true
            }
        }
        recording.commandEnd = command.end
        return recording
    }

    private func makeRecorder() -> Recorder {
        let recorder = Recorder(
            unwinder, tellsProcessesApart: options.tellsProcessesApart,
            tellsInstructionsApart: options.tellsInstructionsApart, keepsTimes: options.keepsTimes,
            debugFiles: options.debugFiles)
        recorder.observer = observer
        return recorder
    }

    private func record(
        _ recorder: Recorder, start: () throws(ProfileError) -> Void, hasEnded: () -> Bool
    ) throws(ProfileError) -> Recording {
        defer { unwinder.stop() }
        let event = try ProfileError.ofUnwinder { () throws(KernelError) -> SamplingEvent? in
            if options.samplesWaits { try unwinder.startWaits() }
            guard let rate = options.rate else { return nil }
            let event = options.event ?? .best
            try unwinder.start(event, rate)
            return event
        }
        let began = ContinuousClock.now
        interruption?.enter(.recording)
        try start()
        onProgress(.sampling)
        var reports = RegularReports(every: .seconds(5), onCounters)
        var statuses = RegularReports(every: .milliseconds(200), onStatus)
        var cutter = intervals.map { IntervalCutter($0, began: began) }
        func describe(_ recording: inout Recording) {
            (recording.frequency, recording.period) = (options.frequency, options.period)
            recording.includesWaits = options.samplesWaits
        }
        let loop = RecordingLoop(
            source: KernelSource(
                unwinder: unwinder, recorder: recorder, interruption: interruption, duration: options.duration),
            rule: StopRule(duration: options.duration), elapsed: { ContinuousClock.now - began })
        let (reason, elapsed) = try loop.run(
            hasTargetEnded: hasEnded, request: { interruption?.request },
            onRound: { elapsed throws(ProfileError) in
                try statuses.reportIfDue(after: elapsed) { RecordingStatus(elapsed: elapsed, recorder.stacks) }
                try reports.reportIfDue(after: elapsed) { () throws(ProfileError) in
                    try Self.counters(of: recorder, after: elapsed)
                }
                try cutter?.cutIfOver(recorder, event, describe)
            })
        if cutter == nil { recorder.endWaits() }
        if let onCounters { onCounters(try Self.counters(of: recorder, after: elapsed)) }
        try cutter?.cut(recorder, event, isLast: true, describe)
        if recorder.stacks.totals.samples == 0 { interruption?.finish() }
        var recording = Recording(
            stacks: recorder.stacks, processes: recorder.processes, event: event, elapsed: elapsed, stopReason: reason,
            counters: Result { () throws(KernelError) in try unwinder.counters() }, memory: unwinder.memoryUse,
            problems: recorder.problems)
        (recording.cgroups, recording.timeline) = (recorder.cgroups, recorder.timeline)
        describe(&recording)
        return recording
    }

    private static func counters(
        of recorder: Recorder, after elapsed: Duration
    ) throws(ProfileError) -> RecordingCounters {
        try ProfileError.ofUnwinder { () throws(KernelError) in try RecordingCounters(recorder, elapsed: elapsed) }
    }

    /// Adds the unwinder's problems to those of the recording that `body` makes.
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

/// The samples of the kernel unwinder.
private struct KernelSource: SampleSource {
    let unwinder: KernelUnwinder
    let recorder: Recorder
    let interruption: Interruption?
    /// How long it will be sampled; nil for no limit.
    let duration: Duration?
    /// When sampling began.
    let began = ContinuousClock.now

    func wait() {
        let elapsed = ContinuousClock.now - began
        let pause = min(pause(after: elapsed), duration.map { max($0 - elapsed, .zero) } ?? .seconds(1))
        // Rounded up, so that the last pause is not followed by another one.
        let milliseconds = Int32(pause / .milliseconds(1)) + 1
        unwinder.wait(milliseconds: milliseconds, or: interruption?.descriptor ?? -1)
    }

    /// Short in the first second, because programs that run all the time are not known until their first samples have
    /// been read. Longer if everyone is sampled: then the mappings of new processes are known without their samples. Longer
    /// still while there are no new ones. The share of waits is adjusted each time.
    private func pause(after elapsed: Duration) -> Duration {
        if elapsed < .seconds(1) { return .milliseconds(10) }
        if !unwinder.samplesEveryone { return .milliseconds(50) }
        return .milliseconds(unwinder.samplesWaits || recorder.metNewcomers ? 100 : 200)
    }

    func collect() throws(ProfileError) {
        try ProfileError.ofUnwinder { () throws(KernelError) in try recorder.collect() }
    }

    func stop() {
        interruption?.enter(.finishing)
        unwinder.stop()
    }
}
