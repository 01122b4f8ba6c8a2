import ArgumentParser
import ELF
import KernelUnwinder
import LinuxProcess
import Profile
import TableCompiler
import TableStore
import Validation

/// The options of `cfic validate --live`.
struct LiveOptions: ParsableArguments {
    @Flag(
        help: """
            Compare stacks while they are sampled: of processes (-p), of a command after --, or of all processes (-a).
            """)
    var live = false

    @Option(
        name: [.customShort("p"), .customLong("pid")],
        help: ArgumentHelp("With --live: a process to sample; may be repeated.", valueName: "pid"),
        completion: Completions.processes)
    var processes: [Int32] = []

    @Flag(name: [.customShort("a"), .customLong("all")], help: "With --live: sample all processes.")
    var everyone = false

    @Option(
        name: [.customShort("d"), .long],
        help: ArgumentHelp("With --live: stop after this many seconds.", valueName: "seconds"))
    var duration: Double?

    @Option(
        name: [.customShort("F"), .long],
        help: ArgumentHelp("With --live: samples per second on each CPU (default: 99).", valueName: "hz"))
    var frequency: Int?

    @Option(
        name: [.customShort("e"), .long],
        help: ArgumentHelp(
            "With --live: sample this event instead of CPU time, as cfic profile does.", valueName: "event"))
    var event: String?

    @Option(
        name: [.customShort("c"), .customLong("count")],
        help: ArgumentHelp("With --live and -e: sample each Nth event on each CPU, instead of -F.", valueName: "n"))
    var period: Int?

    @Option(
        help: ArgumentHelp(
            "With --live: compare each Nth sample of each CPU (default: 1), and each that is finished in user space.",
            valueName: "count"))
    var every: Int?

    @OptionGroup var memory: MemoryOption
    @OptionGroup var counters: CountersOption

    /// Whether an option is given that needs --live.
    private var hasOthers: Bool {
        !processes.isEmpty || everyone || duration != nil || frequency != nil || event != nil || period != nil
            || every != nil || counters.path != nil || memory.budget != nil
    }

    /// - Parameter command: the words after `--`.
    func check(_ command: [String]) throws {
        guard live else { return }
        if [!processes.isEmpty, !command.isEmpty, everyone].count(where: { $0 }) != 1 {
            throw ValidationError("--live takes processes (-p), a command after --, or all processes (-a).")
        }
    }

    func validate() throws {
        guard live else {
            if hasOthers {
                throw ValidationError(
                    "-p, -a, -d, -F, -e, -c, --every, --memory and --counters go with --live.")
            }
            return
        }
        try SamplingTarget.check(processes: processes, duration: duration)
        try sampled.check()
        if let every, !(1...1_000_000).contains(every) { throw ValidationError("--every takes 1 to 1000000.") }
    }

    private var sampled: SampledEvent { SampledEvent(name: event, period: period, frequency: frequency) }

    /// Samples and compares.
    ///
    /// - Parameters:
    ///   - command: the command to run, if neither processes nor all of them are sampled.
    ///   - store: where tables are taken from; nil compiles all of them.
    ///   - debugFiles: nil ignores separate and embedded debug files.
    ///   - minAgreement: in percent.
    /// - Returns: the results, and the file that has the counters, if one was named.
    func report(
        of command: [String], store: TableStore?, debugFiles: DebugFileSearch?, minAgreement: Double
    ) throws -> (LiveReport, CountersFile?) {
        let event = try sampled.find()
        let tables = CompilingSupply(store: store, debugFiles: debugFiles)
        Diagnostics.progress("Loading the BPF programs")
        var options = KernelUnwinder.Options()
        options.samplesEveryone = everyone
        options.kernelFrames = false
        options.snapshotEvery = every ?? 1
        options.finishesStacks = true
        if let budget = memory.budget { options.tableBudget = budget }
        options.tracepointPeriod = sampled.tracepointPeriod
        HeapMemory.returnsFreedMemory()
        let unwinder = try KernelUnwinder(tables: tables, options)
        let interruption = try Interruption()
        try interruption.takeSignals { _ in }
        let audit = try LiveAudit(tables: tables, debugFiles: debugFiles)
        let profiler = Profiler(unwinder, recordingOptions(event), interruption: interruption)
        profiler.observer = audit
        let counters = try counters.follow(profiler)
        profiler.onProgress = {
            if case .sampling = $0 { Diagnostics.progress("Sampling and comparing; Ctrl-C ends it") }
        }
        let recording = try SamplingTarget(processes: processes, command: command).record(by: profiler)
        unwinder.close()
        interruption.finish()
        return (LiveReport(audit, recording, minAgreement: minAgreement), counters)
    }

    private func recordingOptions(_ event: SamplingEvent?) -> Profiler.Options {
        var options = Profiler.Options()
        (options.event, options.period) = (event, sampled.usedPeriod)
        options.frequency = frequency ?? 99
        options.duration = duration.map { .seconds($0) }
        return options
    }
}
