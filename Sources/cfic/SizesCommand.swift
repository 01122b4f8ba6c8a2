import ArgumentParser
import JSONDocuments
import TableCompiler

struct SizesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sizes",
        abstract: "Show how many bytes call frame information takes, by format.",
        discussion: """
            Shows .eh_frame, .eh_frame_hdr, .debug_frame and .sframe as they are in the files, the table that would be \
            compiled from them, and what SFrame would take for the same rows: the latter computed from its \
            specification, for versions 2 and 3. Functions are FDEs, and rows those of the table. Without --json, \
            directories are summed up, and their ten largest files are listed.

            Examples:
              cfic sizes /bin/bash
              cfic sizes /usr/bin /usr/lib -j 4
              cfic sizes --json build/ | jq '.total.table.bytesPerFunction'
            """)

    @Argument(help: ArgumentHelp("ELF files, or directories to search.", valueName: "path"), completion: .file())
    var paths: [String]

    @OptionGroup var threads: ThreadOption

    @Flag(help: "Report as JSON.")
    var json = false

    @OptionGroup var debugFiles: DebugFileOptions

    func run() throws {
        try reporting {
            let walk = FileWalk(paths)
            let bar = ProgressBar(isWorthwhile: walk.files.count > 20)
            let sizes = TreeSizes(debugFiles: debugFiles.search, threads: threads.count)
            let outcomes = sizes.run(walk.files) { bar.update($0, of: $1) }
            bar.finish()
            let report = SizesReport(walk, outcomes)
            if json { try JSONText.print(report) } else { SizesText(report).write() }
            if report.isEmpty { throw noneFound("ELF file", below: paths) }
            if !report.failures.isEmpty { throw ExitCode(1) }
        }
    }
}
