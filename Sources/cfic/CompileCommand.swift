import ArgumentParser

struct CompileCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compile",
        abstract: "Compile ELF files into unwind tables and keep them by build id.",
        discussion: """
            Directories are searched for ELF files. Tables that are cached and current (same key, rules \
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

    @OptionGroup var inference: InferenceOption

    @Flag(help: "Report as JSON.")
    var json = false

    @OptionGroup var debugFiles: DebugFileOptions

    func validate() throws {
        if output != nil, paths.count != 1 { throw ValidationError("-o takes exactly one input file.") }
        if output != nil, cache.cache != nil { throw ValidationError("-o and --cache exclude each other.") }
    }

    func run() throws { try reporting { try compilation.run() } }

    var compilation: Compilation {
        get throws {
            Compilation(
                paths: paths, store: output == nil ? try cache.store() : nil, output: output, threads: threads.count,
                isStrict: strict, isForced: force, keepsGaps: keepGaps,
                infers: inference.isOn, isJSON: json, debugFiles: debugFiles.search)
        }
    }
}
