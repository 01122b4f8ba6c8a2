import ArgumentParser
import ELF
import TreeCompiler
import UnwindTable
import Validation

struct ValidateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate",
        abstract: "Compare tables with libdw, address by address.",
        discussion: """
            Takes each file's table from the cache, or compiles it, and compares what the table and libdw say \
            wherever either of them can change, one address before and one after, and in the gaps. Both are evaluated \
            on the same made-up registers and memory, and must give the same CFA, stack pointer, frame pointer and \
            return address, the same end of stack and the same signal frames. Differences that are nobody's fault, \
            or known to be libdw's, are counted by name.

            Exit code 1 if a difference is left, or a file can't be read.

            Examples:
              cfic validate /bin/bash
              cfic validate /usr -j 2
              cfic validate --exhaustive --states 4 ./a.out
            """)

    @Argument(help: ArgumentHelp("ELF files, or directories to search.", valueName: "path"), completion: .file())
    var paths: [String]

    @Flag(help: "Compare at every instruction unit, instead of wherever something can change.")
    var exhaustive = false

    @Option(help: ArgumentHelp("Made-up states that each rule is evaluated on.", valueName: "count"))
    var states = 2

    @Option(help: ArgumentHelp("Other states for another number.", valueName: "number"))
    var seed: UInt64 = 1

    @Flag(name: .customLong("keep-gaps"), help: "Tables in which padding between functions stays a gap.")
    var keepGaps = false

    @OptionGroup var cache: CacheOption

    @Flag(name: .customLong("no-cache"), help: "Compile every table anew.")
    var ignoresCache = false

    @OptionGroup var debugFiles: DebugFileOptions
    @OptionGroup var threads: ThreadOption

    @Flag(help: "Report as JSON.")
    var json = false

    func validate() throws {
        if !(1...64).contains(states) { throw ValidationError("--states takes a number from 1 to 64.") }
        if ignoresCache, cache.cache != nil { throw ValidationError("--no-cache and --cache exclude each other.") }
    }

    func run() throws {
        try reporting {
            let report = try validateFiles()
            if json { try JSONOutput.print(report) } else { report.write() }
            if !report.isGood { throw ExitCode(1) }
        }
    }

    private func validateFiles() throws -> ValidationReport {
        // Without a home directory there is no cache, which is no reason not to validate.
        let store = ignoresCache ? nil : cache.cache == nil ? try? cache.store() : try cache.store()
        var effort = TableValidation.Effort()
        (effort.states, effort.seed, effort.isExhaustive) = (states, seed, exhaustive)
        let (options, search) = (TableOptions(keepsGaps: keepGaps), debugFiles.search)
        let walk = FileWalk(paths)
        let bar = ProgressBar(isWorthwhile: true)
        let total = walk.files.reduce(0) { $0 + $1.size }
        let outcomes = TreeValidation.run(
            walk.files, threads: threads.count,
            validator: { [effort] in ImageValidator(store: store, options: options, debugFiles: search, effort: effort) },
            progress: { bar.update($0, of: total) })
        bar.finish()
        return ValidationReport(walk, outcomes)
    }
}
