import JSONDocuments
import ArgumentParser
import ELF
import TableStore
import TableCompiler
import UnwindTable
import Validation

struct ValidateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate",
        abstract: """
            Compare tables with libdw: address by address, or the stacks of core dumps and of live processes; or call \
            frame information with code.
            """,
        discussion: """
            Takes each file's table from the cache, or compiles it, and compares it with libdw wherever either \
            can change, one address before and one after, and in the gaps. Both are evaluated on the same generated \
            registers and memory, and must give the same CFA, stack pointer, frame pointer and return address, the \
            same end of stack and the same signal frames. Differences with a known cause are counted by name.

            --core walks the stacks of all threads of a core dump twice, with the tables through the C code that \
            kernels run and with libdw's unwinder, and compares them frame by frame. It looks for files at their \
            recorded paths, below --sysroot, and by build id in the debug directories.

            --live samples processes as `cfic profile` does, and compares each stack that the kernel walked with the one \
            that libdw's unwinder finds from the same registers and a copy of the stack (up to 64 KiB). A frame counts \
            if both sides found it by call frame information. Prints each class of differences with an example. Exits \
            with 1 if less than --min-agreement of the frames agree, or none was compared.

            --inference analyses the instructions of x86-64 functions that have call frame information as if they had \
            none, and compares each row with what the instructions do to the stack, by meaning. Counts bytes of code: \
            with a rule, agreeing, disagreeing by kind, and without a rule by reason. --show N prints examples with \
            both rules and the instructions. Exits with 1 if less than --min-agreement of a file's bytes agree. It \
            needs libZydis (Debian: libzydis4.0).

            Otherwise exits with 1 if any unexplained difference remains, or a file can't be read.

            Examples:
              cfic validate /bin/bash
              cfic validate /usr -j 2
              cfic validate --exhaustive --states 4 ./a.out
              cfic validate --core core.4711
              cfic validate --core core.4711 ./a.out --sysroot /srv/target
              cfic validate --inference /bin/bash
              cfic validate --inference --show 5 --min-agreement 99.99 /usr/lib
              sudo cfic validate --live -- openssl speed -seconds 1 sha256
              sudo cfic validate --live -p 1234 -d 10 -F 499 --every 5
            """)

    @Argument(
        help: ArgumentHelp(
            "ELF files, or directories to search; with --core, the program; with --live, a command after --.",
            valueName: "path"),
        completion: .file())
    var paths: [String] = []

    @Option(
        help: ArgumentHelp("Compare the stacks of this core dump's threads.", valueName: "file"), completion: .file())
    var core: String?

    @Option(
        help: ArgumentHelp("With --core: the directory that holds the core's files.", valueName: "dir"),
        completion: .directory)
    var sysroot: String?

    @Flag(help: "Compare call frame information with what functions' instructions do.")
    var inference = false

    @Option(help: ArgumentHelp("With --inference: how many examples to show for each file.", valueName: "count"))
    var show: Int?

    @Flag(help: "Compare at every instruction unit, not only where something can change.")
    var exhaustive = false

    @Option(help: ArgumentHelp("How many generated states each rule is evaluated on. (default: 2)", valueName: "count"))
    var states: Int?

    @Option(help: ArgumentHelp("Seed of the generated states. (default: 1)", valueName: "number"))
    var seed: UInt64?

    @Flag(name: .customLong("keep-gaps"), help: "Compare tables that keep padding between functions as gaps.")
    var keepGaps = false

    @Option(
        name: .customLong("min-agreement"),
        help: ArgumentHelp(
            "Exit with 1 if fewer percent agree: with --live, of the frames; with --inference, of a file's bytes. "
                + "(default: 99.9)", valueName: "percent"))
    var minAgreement: Double?

    @OptionGroup var live: LiveOptions
    @OptionGroup var cache: CacheOption

    @Flag(name: .customLong("no-cache"), help: "Compile every table, even if the cache has it.")
    var ignoresCache = false

    @OptionGroup var debugFiles: DebugFileOptions
    @OptionGroup var threads: ThreadOption

    @Flag(help: "Report as JSON.")
    var json = false

    func validate() throws {
        if let states, !(1...64).contains(states) { throw ValidationError("--states takes a number from 1 to 64.") }
        try checkInference()
        try live.check(paths)
        if live.live, core != nil { throw ValidationError("--live excludes --core.") }
        if core == nil, paths.isEmpty, !live.live {
            throw ValidationError("Specify a file or directory, a core dump with --core, or --live.")
        }
        if core == nil, sysroot != nil { throw ValidationError("--sysroot goes with --core.") }
        if core != nil, paths.count > 1 { throw ValidationError("--core takes at most one program.") }
        if live.live || core != nil, exhaustive || keepGaps || states != nil || seed != nil || threads.jobs != nil {
            throw ValidationError(
                "--exhaustive, --keep-gaps, --states, --seed and -j are for files: they go with neither --live nor --core."
            )
        }
        if ignoresCache, cache.cache != nil { throw ValidationError("--no-cache and --cache exclude each other.") }
    }

    func run() throws {
        try reporting {
            if live.live {
                let (report, counters) = try live.report(
                    of: paths, store: store(), debugFiles: debugFiles.search, minAgreement: minAgreement ?? 99.9)
                try finish(report)
                try counters?.checkFinal()
                return
            }
            if let core { return try finish(try validateStacks(core)) }
            if inference {
                let report = validateInference()
                try finish(report)
                if report.isEmpty { throw noneFound("ELF file", below: paths) }
                return
            }
            let report = try validateFiles()
            try finish(report)
            if report.isEmpty { throw noneFound("ELF file", below: paths) }
        }
    }

    private func finish(_ report: some ValidationOutput) throws {
        if json { try JSONText.print(report) } else { report.write() }
        if !report.isGood { throw ExitCode(1) }
    }

    /// Without a home directory there is no cache, but validation is still possible.
    private func store() throws -> TableStore? {
        ignoresCache ? nil : cache.cache == nil ? try? cache.store() : try cache.store()
    }

    private func validateStacks(_ core: String) throws -> CoreReport {
        var search = ModuleSearch()
        search.executable = paths.first
        search.sysroot = sysroot
        search.debugFiles = debugFiles.search
        search.store = try store()
        return CoreReport(try CoreValidation(core: core, search), core: core)
    }

    private func validateFiles() throws -> ValidationReport {
        let store = try store()
        var effort = TableValidation.Effort()
        (effort.states, effort.seed, effort.isExhaustive) = (states ?? 2, seed ?? 1, exhaustive)
        let (options, search) = (TableOptions(keepsGaps: keepGaps), debugFiles.search)
        let walk = FileWalk(paths)
        let bar = ProgressBar(isWorthwhile: true)
        let total = walk.files.reduce(0) { $0 + $1.size }
        let outcomes = TreeValidation.run(
            walk.files, threads: threads.count,
            validator: { [effort] in
                ImageValidator(store: store, options: options, debugFiles: search, effort: effort)
            },
            progress: { bar.update($0, of: total) })
        bar.finish()
        return ValidationReport(walk, outcomes)
    }
}
