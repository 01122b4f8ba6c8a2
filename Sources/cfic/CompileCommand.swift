import ArgumentParser
import ELF
import Files
import Glibc
import TableCompiler
import TableStore
import TreeCompiler
import UnwindTable

struct CompileCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compile",
        abstract: "Compile ELF files into unwind tables and keep them by build id.",
        discussion: """
            Directories are searched for ELF files. Tables that are cached and current (same key, compiler version \
            and options) are not compiled again. stdout gets one line per table, stderr the skipped files and a summary.

            Examples:
              cfic compile /bin/bash /usr/lib/x86_64-linux-gnu/libc.so.6
              cfic compile /usr -j 4
              cfic compile build/ --cache dist/tables --strict     in a build pipeline
              cfic compile ./a.out -o a.out.unwind                 one table, outside the cache
            """)

    @Argument(help: ArgumentHelp("Files, or directories to search.", valueName: "path"), completion: .file())
    var paths: [String]

    @OptionGroup var cache: CacheOption

    @Option(
        name: [.customShort("o"), .long],
        help: ArgumentHelp("Write the one table to this file instead of into the cache.", valueName: "file"),
        completion: .file())
    var output: String?

    @OptionGroup var threads: ThreadOption

    @Flag(help: "Fail on any malformed FDE and any code whose rules could not be lowered.")
    var strict = false

    @Flag(help: "Compile again even if the cached table is current.")
    var force = false

    @Flag(name: .customLong("keep-gaps"), help: "Keep padding between functions as gaps without a rule.")
    var keepGaps = false

    @Flag(help: "Report as JSON.")
    var json = false

    @OptionGroup var debugFiles: DebugFileOptions

    func validate() throws {
        if output != nil, paths.count != 1 { throw ValidationError("-o takes exactly one input file.") }
        if output != nil, cache.cache != nil { throw ValidationError("-o and --cache exclude each other.") }
    }

    func run() throws {
        try reporting { if let output { try compileOne(to: output) } else { try compileAll() } }
    }

    private func compileAll() throws {
        var tree = TreeCompiler(store: try cache.store())
        tree.options = TableOptions(keepsGaps: keepGaps)
        tree.debugFiles = debugFiles.search
        tree.threads = threads.count
        tree.isForced = force
        tree.isStrict = strict
        let start = ContinuousClock.now
        let walk = FileWalk(paths)
        let bar = ProgressBar(isWorthwhile: walk.files.count > 20)
        let summary = tree.run(walk) { bar.update($0, of: $1) }
        bar.finish()
        let report = CompileReport(summary, store: tree.store.directory, duration: ContinuousClock.now - start)
        if json { try JSONOutput.print(report) } else { report.write() }
        if report.hasFailed { throw ExitCode(1) }
    }

    private func compileOne(to output: String) throws {
        let start = ContinuousClock.now
        var status = stat()
        if paths[0].withPath({ stat($0, &status) }) == 0, status.st_mode & S_IFMT == S_IFDIR {
            throw Failure("\(paths[0]): -o takes one file, not a directory: use --cache for a directory")
        }
        var target = stat()
        if output.withPath({ stat($0, &target) }) == 0, target.st_dev == status.st_dev, target.st_ino == status.st_ino {
            throw Failure("\(output): this is the input file: name another output file")
        }
        let image = try ELFImage(path: paths[0])
        let compiler = ImageCompiler(
            options: TableOptions(keepsGaps: keepGaps), debugFiles: debugFiles.search, threads: threads.count)
        let result: ImageCompiler.Result
        do throws(CompileError) {
            result = try compiler.compile(image)
        } catch {
            if case .skipped(let reason) = error { throw Failure("\(image.name): \(reason)") }
            throw error
        }
        for note in result.notes { Diagnostics.error(note) }
        let facts = TableFacts(result)
        if strict, !facts.isFlawless { throw Failure("\(image.name): \(CompileReport.flaws(facts))") }
        try TableStore.write(result.built.table, to: output)
        if json {
            let report = FileReport(path: image.name, outcome: .compiled(facts), notes: result.notes)
            try JSONOutput.print(CompileReport(
                [report], elfBytes: UInt64(max(0, status.st_size)), duration: ContinuousClock.now - start))
        }
    }
}
