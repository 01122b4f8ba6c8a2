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
    /// - Returns: the file that they are written to; nil if none was named.
    /// - Throws: `FileError` if the file can't be written.
    func follow(_ profiler: Profiler) throws -> CountersFile? {
        guard let path, let format = CountersFormat(path: path) else { return nil }
        try OutputFile.checkWritable(path)
        let file = CountersFile(path, format)
        profiler.onCounters = file.write
        return file
    }
}

/// The file that a recording's counters are written to again and again. A failure doesn't stop the recording.
final class CountersFile {
    private let path: String
    private let format: CountersFormat
    /// Why the counters were not written the last time; nil if they were.
    private var problem: String?

    init(_ path: String, _ format: CountersFormat) { (self.path, self.format) = (path, format) }

    func write(_ counters: RecordingCounters) {
        do {
            // A reader sees all or nothing of it. That a crash of the machine keeps it isn't worth a wait for the disk.
            try OutputFile.write(to: path, isDurable: false) { try $0.write(format.text(counters)) }
            problem = nil
        } catch {
            let problem = "\(error)"
            if problem != self.problem { Diagnostics.error(problem) }
            self.problem = problem
        }
    }

    /// Call it when the recording's results have been written.
    ///
    /// - Throws: `ExitCode` if the final counters are not in the file. The reason has been printed.
    func checkFinal() throws { if problem != nil { throw ExitCode(1) } }
}
