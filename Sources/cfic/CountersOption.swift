import ArgumentParser
import Files
import Profile
import ProfileFormats

/// `--counters`: a file that shows what a recording counts.
struct CountersOption: ParsableArguments {
    @Option(
        name: .customLong("counters"),
        help: ArgumentHelp(
            "Write counters to this file every few seconds and at the end: JSON (.json) or Prometheus text (.prom).",
            valueName: "file"), completion: .file(extensions: ["json", "prom"]))
    var path: String?

    func validate() throws {
        if let path, CountersFormat(path: path) == nil {
            throw ValidationError("--counters takes a file that ends in .json or .prom, and '\(path)' does not.")
        }
    }

    /// Has the counters of a recording written.
    ///
    /// - Throws: `FileError` if the file can't be written.
    func follow(_ profiler: Profiler) throws {
        guard let path, let format = CountersFormat(path: path) else { return }
        try OutputFile.checkWritable(path)
        var lastProblem: String?
        profiler.onCounters = { counters in
            do {
                // A reader sees all or nothing of it. That a crash of the machine keeps it isn't worth a wait for the disk.
                try OutputFile.write(to: path, isDurable: false) { try $0.write(format.text(counters)) }
            } catch {
                let problem = "\(error)"
                if problem != lastProblem { Diagnostics.error(problem) }
                lastProblem = problem
            }
        }
    }
}
