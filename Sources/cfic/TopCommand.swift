import ArgumentParser
import Glibc
import KernelUnwinder
import LinuxProcess
import LiveView
import Profile
import ProfileFormats
import Synchronization
import TableCompiler

struct TopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Show live where processes spend CPU time.",
        discussion: """
            Shows the last ten seconds as a flame graph, callers above callees, with the functions that use most of the \
            CPU, how complete the stacks are, and the memory in use.

            The arrow keys move the selection: down to the callee with most of the time, up to the caller, left and \
            right to what is beside it. Enter zooms in on it, backspace out of it, home (or escape) shows all. s sorts \
            the functions by their own time or by the total, p pauses, q quits.

            Needs what cfic profile needs, and a terminal.

            Examples:
              sudo cfic top                 the whole machine
              sudo cfic top -p 1234
            """)

    @OptionGroup var processes: ProcessOptions
    @OptionGroup var filter: FilterOptions

    @Option(
        name: [.customShort("F"), .long],
        help: ArgumentHelp("Samples per second on each CPU.", valueName: "hz"))
    var frequency = 99

    @OptionGroup var memory: MemoryOption
    @OptionGroup var cache: CacheOption
    @OptionGroup var debugFiles: DebugFileOptions
    @OptionGroup var demangling: DemangleOption

    func validate() throws {
        if !processes.ids.isEmpty, processes.everyone {
            throw ValidationError("Specify processes (-p) or all processes (-a), not both.")
        }
        try SamplingTarget.check(processes: processes.ids, duration: nil)
        try SampledEvent(name: nil, period: nil, frequency: frequency).check()
    }

    func run() throws {
        try reporting {
            guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else {
                throw Failure("cfic top needs a terminal; cfic profile writes files")
            }
            HeapMemory.returnsFreedMemory()
            Diagnostics.progress("Loading the BPF programs")
            let tables = CompilingSupply(store: try cache.store(), debugFiles: debugFiles.search)
            let unwinder = try KernelUnwinder(tables: tables, unwinderOptions())
            let interruption = try Interruption()
            try interruption.takeSignals { if case .end = $0 { LiveScreen.giveBack() } }
            let profiler = Profiler(unwinder, recordingOptions, interruption: interruption)
            var naming = NamingOptions()
            (naming.demangles, naming.debugFiles) = (!demangling.isOff, debugFiles.search)
            let feed = LiveFeed(naming)
            let view = LiveView(title, feed, usesColours: Diagnostics.usesColours)
            profiler.intervals = feed
            profiler.onCounters = { view.note(kernelMemory: $0.memory.used, residentMemory: $0.residentBytes) }
            let recording = try record(by: profiler, view, interruption)
            unwinder.close()
            interruption.finish()
            for problem in recording.problems { Diagnostics.error(problem) }
        }
    }

    /// Samples until the user quits, a signal comes, or the processes have ended.
    private func record(by profiler: Profiler, _ view: LiveView, _ interruption: Interruption) throws -> Recording {
        let problem = Mutex(String?.none)
        var isShown = false
        profiler.onProgress = { progress in
            guard progress == .sampling else { return }
            isShown = true
            view.start { reason in
                problem.withLock { $0 = reason }
                interruption.stop()
            }
        }
        let result = Result { try SamplingTarget(processes: processes.ids, command: []).record(by: profiler) }
        if isShown { view.close() }
        let recording = try result.get()
        if let problem = problem.withLock({ $0 }) { throw Failure(problem) }
        return recording
    }

    private func unwinderOptions() throws -> KernelUnwinder.Options {
        var options = KernelUnwinder.Options()
        options.samplesEveryone = processes.ids.isEmpty
        options.kernelFrames = !filter.noKernel
        options.filter = try filter.filter()
        options.finishesStacks = true
        if let budget = memory.budget { options.tableBudget = budget }
        return options
    }

    private var recordingOptions: Profiler.Options {
        var options = Profiler.Options()
        options.frequency = frequency
        options.debugFiles = debugFiles.search
        return options
    }

    private var title: String {
        processes.ids.isEmpty ? "all processes" : "process " + processes.ids.map(String.init).joined(separator: ", ")
    }
}
