import JSONDocuments
import ArgumentParser
import ELF
import Files
import Glibc
import TableCompiler
import TableStore
import UnwindTable

/// The work of `cfic compile`, independent of how the arguments were parsed.
struct Compilation {
    /// Files to compile, or directories to search.
    var paths: [String]
    /// Where tables are stored; nil for the single table that goes to `output`.
    var store: TableStore?
    var output: String?
    var threads: Int
    var isStrict = false
    var isForced = false
    var keepsGaps = false
    var infers = true
    var isJSON = false
    /// Nil: separate debug files are ignored.
    var debugFiles: DebugFileSearch?

    /// - Throws: an error about the input, or `ExitCode` after a report that contains the failures.
    func run() throws {
        if let output { try compileOne(to: output) } else if let store { try compileAll(into: store) }
    }

    private var options: TableOptions {
        let options = TableOptions(keepsGaps: keepsGaps, infers: infers)
        if infers, let problem = TableOptions.inferenceProblem {
            Diagnostics.note("code without call frame information gets no rules: \(problem)")
        }
        return options
    }

    private func compileAll(into store: TableStore) throws {
        var tree = TreeCompiler(store: store)
        tree.options = options
        tree.debugFiles = debugFiles
        tree.threads = threads
        tree.isForced = isForced
        tree.isStrict = isStrict
        let start = ContinuousClock.now
        let walk = FileWalk(paths)
        let bar = ProgressBar(isWorthwhile: walk.files.count > 20)
        let summary = tree.run(walk) { bar.update($0, of: $1) }
        bar.finish()
        let report = CompileReport(summary, store: tree.store.directory, duration: ContinuousClock.now - start)
        if isJSON { try JSONText.print(report) } else { report.write() }
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
            throw Failure("\(output): this is the input file: specify another output file")
        }
        let image = try ELFImage(path: paths[0])
        let compiler = ImageCompiler(
            options: options, debugFiles: debugFiles, threads: threads)
        let result: ImageCompiler.Result
        do throws(CompileError) {
            result = try compiler.compile(image)
        } catch {
            if case .skipped(let reason) = error { throw Failure("\(image.name): \(reason)") }
            throw error
        }
        for note in result.notes { Diagnostics.error(note) }
        let facts = TableFacts(result)
        if isStrict, !facts.isFlawless { throw Failure("\(image.name): \(CompileReport.flaws(facts))") }
        try OutputFile.write(result.table, to: output)
        if isJSON {
            let report = FileReport(path: image.name, outcome: .compiled(facts), notes: result.notes)
            try JSONText.print(
                CompileReport(
                    [report], elfBytes: UInt64(max(0, status.st_size)), duration: ContinuousClock.now - start))
        }
    }
}
