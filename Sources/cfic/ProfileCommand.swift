import ArgumentParser
import Glibc
import KernelUnwinder
import LinuxProcess
import Profile
import ProfileFormats
import ProfileService
import Symbols
import TableCompiler
import TableStore

struct ProfileCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "profile",
        abstract: "Sample where processes spend CPU time, or wait: a flame graph, or folded stacks.",
        discussion: """
            The kernel unwinds stacks with tables, without frame pointers, up to 1,024 frames. Tables come from the \
            cache, or are compiled into it. Child processes started later are sampled, too.

            Into a pipe it prints one line per distinct stack, as flame graph tools read it: thread;outermost;...;innermost count. \
            Names of C++, Rust, D and Swift are demangled. Kernel functions end with _[k]. Frames that were found by the frame pointer, because code has no call \
            frame information, end with _[fp]; inlined functions, with --inline, end with _[i]. A stack whose outermost frame was not reached begins with [truncated]. \
            Stacks that need registers which the kernel's walk doesn't keep are finished in user space. A summary goes to \
            stderr.

            With --off-cpu the numbers are nanoseconds that threads waited with each stack: for a lock, a disk, another \
            process, a timer. Preempted threads, which wait only for a CPU, are left out. With --off-cpu and -F, the \
            thread's name is followed by [off-cpu] or [on-cpu], and both add up to the thread's time.

            With -e EVENT, samples are taken where an event happens. Hardware events such as instructions or \
            cache-misses are sampled -F times a second; with -c N, each Nth is, and the numbers are events. Page faults, \
            context switches and tracepoints are counted: each is sampled, or with -c N each Nth on each CPU. A \
            tracepoint is group:name. --list-events lists what this machine has.

            On a terminal, without -o, the profile is a flame graph, cfic.html in the current directory; the hottest \
            functions and how complete the stacks are go to stdout.

            With --json both are in one document, with addresses and how each stack ended (docs/stack-ends.md). The \
            command's own output still goes to stdout: use -o to keep it apart from the stacks.

            Ctrl-C ends the recording and writes the profile; a second Ctrl-C aborts the writing. While tables are \
            being loaded, the first Ctrl-C exits.

            Needs Linux 5.10 or newer with BTF, and root or CAP_BPF and CAP_PERFMON. Other users' processes also need \
            CAP_SYS_PTRACE. Files that were deleted or replaced after they were mapped also need \
            CAP_CHECKPOINT_RESTORE, and in other users' processes CAP_DAC_READ_SEARCH.

            Examples:
              sudo cfic profile                            the whole machine, until Ctrl-C, as a flame graph
              sudo cfic profile -- make -j8
              sudo cfic profile -p 1234 -d 10 -F 199 -o stacks.folded
              sudo cfic profile -d 10 -o cpu.html          a flame graph
              sudo cfic profile -d 10 -o cpu.json.gz       for profiler.firefox.com
              sudo cfic profile -d 10 -o cpu.pb.gz && go tool pprof -http : cpu.pb.gz
              sudo cfic profile -p 1234 -p 5678            until Ctrl-C
              sudo cfic profile --json -p 1234 -d 1 | jq .ends
              sudo cfic profile --off-cpu -p 1234 -d 10    where its threads wait
              sudo cfic profile -e page-faults -- ls       where it touches new memory
              sudo cfic profile -e syscalls:sys_enter_openat -p 1234
              sudo cfic profile -a --serve 127.0.0.1:9090  profiles and metrics over HTTP, until Ctrl-C
            """)

    @OptionGroup var processes: ProcessOptions
    @OptionGroup var filter: FilterOptions

    @Option(
        name: [.customShort("F"), .long],
        help: ArgumentHelp("Samples per second on each CPU (default: 99).", valueName: "hz"))
    var frequency: Int?

    @Option(
        name: [.customShort("e"), .long], help: SampledEvent.help,
        completion: .list(SamplingEvent.generic.map(\.name)))
    var event: String?

    @Option(
        name: [.customShort("c"), .customLong("count")],
        help: ArgumentHelp("With -e: sample each Nth event on each CPU, instead of -F.", valueName: "n"))
    var period: Int?

    @Flag(help: "List the events that this machine has, and exit.")
    var listEvents = false

    @OptionGroup var offCPU: OffCPUOptions
    @OptionGroup var memory: MemoryOption

    @Option(
        name: [.customShort("d"), .long],
        help: ArgumentHelp(
            "Stop after this many seconds and terminate the command (not its children).", valueName: "seconds"))
    var duration: Double?

    @OptionGroup var output: OutputOptions
    @OptionGroup var counters: CountersOption
    @OptionGroup var service: ServiceOptions
    @OptionGroup var cache: CacheOption
    @OptionGroup var debugFiles: DebugFileOptions
    @OptionGroup var demangling: DemangleOption

    @Flag(
        name: .customLong("inline"),
        help: "Show inlined functions, with _[i], from DWARF; in JSON also source files and lines.")
    var inlines = false

    @Argument(
        parsing: .postTerminator, help: ArgumentHelp("A command to run and sample, after --.", valueName: "command"),
        completion: Completions.commands)
    var command: [String] = []

    func validate() throws {
        if [!processes.ids.isEmpty, !command.isEmpty, processes.everyone].count(where: { $0 }) > 1 {
            throw ValidationError("Specify processes (-p), a command, or all processes (-a), not several of them.")
        }
        try SamplingTarget.check(processes: processes.ids, duration: duration)
        try sampled.check()
        if let path = counters.path, output.paths.contains(path) {
            throw ValidationError("-o and --counters name the same file.")
        }
        if service.isOn, !output.paths.isEmpty || output.isForced {
            throw ValidationError(
                "--serve and --push give out profiles while sampling goes on, and keep none to write at the end: "
                    + "leave out -o, --format and --json.")
        }
        if offCPU.isOn, !sampled.isTime || period != nil {
            throw ValidationError(
                "--off-cpu counts nanoseconds, and so goes only with -e cycles, cpu-clock or task-clock.")
        }
    }

    private var sampled: SampledEvent { SampledEvent(name: event, period: period, frequency: frequency) }

    func run() throws {
        try reporting {
            if listEvents { return try EventList().write(asJSON: output.isJSON) }
            let event = try sampled.find()
            let outputs = service.isOn ? [] : try output.outputs()
            let service = try service.service(naming)
            HeapMemory.returnsFreedMemory()
            let tables = CompilingSupply(store: try cache.store(), debugFiles: debugFiles.search)
            Diagnostics.progress("Loading the BPF programs")
            var unwinderOptions = KernelUnwinder.Options()
            let target = SamplingTarget(processes: processes.ids, command: command)
            unwinderOptions.samplesEveryone = target.isEveryone
            unwinderOptions.kernelFrames = !filter.noKernel
            unwinderOptions.filter = try filter.filter()
            unwinderOptions.waits = offCPU.sampling
            unwinderOptions.tracepointPeriod = sampled.tracepointPeriod
            unwinderOptions.finishesStacks = true
            if let budget = memory.budget { unwinderOptions.tableBudget = budget }
            let unwinder = try KernelUnwinder(tables: tables, unwinderOptions)
            let interruption = try Interruption()
            try interruption.takeSignals(Self.say)
            let profiler = Profiler(unwinder, recordingOptions(event, for: outputs), interruption: interruption)
            profiler.onProgress = say
            let progress = SamplingProgress(duration: duration, sharesTerminal: !command.isEmpty)
            progress.follow(profiler)
            let counters = try counters.follow(profiler)
            if let service {
                defer { progress.finish() }
                return try serve(service, target, profiler, interruption, counters)
            }
            let recording = try {
                defer { progress.finish() }; return try target.record(by: profiler)
            }()
            unwinder.close()
            Diagnostics.progress("Naming \(Quantity.count(recording.stacks.count, "stack"))")
            let servers =
                debugFiles.isOff ? nil : Debuginfod { Diagnostics.progress("Asking for debug files of \($0)") }
            let names = Symbolizer(
                recording.processes, demangles: !demangling.isOff, debugFiles: debugFiles.search(askingToo: servers),
                inlines: inlines)
            names.nameAll(recording.stacks)
            let isOverview = outputs.contains(where: \.isPage)
            defer {
                let problems = recording.problems + [servers?.problem].compactMap { $0 } + names.problems
                report(recording, problems, includesStacks: !isOverview)
            }
            let profile = RecordedProfile(recording, names)
            if isOverview { try present(profile, outputs, target) } else { try write(profile, to: outputs) }
            interruption.finish()
            try counters?.checkFinal()
            if let end = recording.commandEnd, end.exitCode != 0 { throw ExitCode(end.exitCode) }
        }
    }

    private var naming: NamingOptions {
        var naming = NamingOptions()
        (naming.demangles, naming.debugFiles, naming.inlines) = (!demangling.isOff, debugFiles.search, inlines)
        return naming
    }

    /// Records until it is interrupted, and lets others take profiles meanwhile.
    private func serve(
        _ service: ProfileService, _ target: SamplingTarget, _ profiler: Profiler, _ interruption: Interruption,
        _ counters: CountersFile?
    ) throws {
        // A client that goes away is no reason to end.
        signal(SIGPIPE, SIG_IGN)
        profiler.intervals = service.intervals
        let writeCounters = profiler.onCounters
        profiler.onCounters = { counters in
            service.note(counters)
            writeCounters?(counters)
        }
        defer { service.close() }
        try service.start()
        if let address = service.address { Diagnostics.note("Serving at \(address)") }
        let recording = try target.record(by: profiler)
        for problem in recording.problems { Diagnostics.error(problem) }
        interruption.finish()
        try counters?.checkFinal()
        if let end = recording.commandEnd, end.exitCode != 0 { throw ExitCode(end.exitCode) }
    }

    /// Writes a page for the user who sits at the terminal, and what is most important of it on the terminal.
    private func present(_ profile: RecordedProfile, _ outputs: [ProfileOutput], _ target: SamplingTarget) throws {
        guard profile.recording.stacks.totals.samples > 0 else {
            return Diagnostics.note("No samples were taken, so \(ProfileOutput.pageName) was not written.")
        }
        let result = Result { try write(profile, to: outputs) }
        ProfileOverview(profile).write(
            page: (try? result.get()).map { ProfileOutput.pagePath },
            ProfileOverview.Hints(isEveryone: target.isEveryone, inlines: inlines, waits: offCPU.isOn))
        try result.get()
    }

    /// Writes all that can be written.
    private func write(_ profile: RecordedProfile, to outputs: [ProfileOutput]) throws {
        var failure: (any Error)?
        for output in outputs {
            do { try output.write(profile) } catch {
                if let failure { Diagnostics.error("\(failure)") }
                failure = error
            }
        }
        if let failure { throw failure }
    }

    private func recordingOptions(_ event: SamplingEvent?, for outputs: [ProfileOutput]) -> Profiler.Options {
        var options = Profiler.Options()
        (options.event, options.period) = (event, sampled.usedPeriod)
        options.frequency = usedFrequency
        options.samplesWaits = offCPU.isOn
        options.duration = duration.map { .seconds($0) }
        options.tellsProcessesApart = service.isOn || outputs.contains(where: \.tellsProcessesApart)
        options.tellsInstructionsApart =
            service.isOn || inlines || outputs.contains(where: \.tellsInstructionsApart)
        options.keepsTimes = outputs.contains(where: \.needsTimes)
        options.debugFiles = debugFiles.search
        return options
    }

    /// 0 if only waits are sampled.
    private var usedFrequency: Int { frequency ?? (offCPU.isOn && event == nil ? 0 : 99) }

    private func say(_ progress: Profiler.Progress) {
        switch progress {
        case .reading(let process):
            Diagnostics.progress("Reading process \(process) and loading tables for its mappings")
        case .sampling:
            let rate =
                if let period = sampled.usedPeriod {
                    "\(event ?? "")" + (period > 1 ? ", each of \(Quantity.count(period))" : "")
                } else if usedFrequency == 0 {
                    "waits"
                } else {
                    "\(usedFrequency) times a second on each of "
                        + Quantity.count(KernelUnwinder.onlineCPUCount, "CPU") + (offCPU.isOn ? ", and waits" : "")
                }
            Diagnostics.progress("Sampling \(rate)\(duration.map { ", for \($0) s" } ?? ""); Ctrl-C ends it")
        }
    }

    @Sendable private static func say(_ response: SignalResponse) {
        switch response {
        case .stop, .end(losesRecording: false): break
        case .finishWriting: Diagnostics.note("Writing the profile; press Ctrl-C again to discard it.")
        case .end(losesRecording: true): Diagnostics.error("ended by a signal; the profile was not written")
        }
    }

    /// Reports the results and the problems.
    private func report(_ recording: Recording, _ problems: [String], includesStacks: Bool) {
        for image in recording.processes.imagesWithoutTable {
            Diagnostics.error("\(image.name) has no table; callers of its frames are guessed: \(image.problem)")
        }
        for problem in problems { Diagnostics.error(problem) }
        do { try ProfileSummary(recording).write(includesStacks: includesStacks) } catch {
            Diagnostics.error("\(error)")
        }
    }
}
