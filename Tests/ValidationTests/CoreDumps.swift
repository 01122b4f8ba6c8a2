import Foundation
import TestFixtures

/// The core dumps of one run of an executable, and the files built for it. Removed with the last reference.
final class CoreDumps {
    struct Core {
        /// The name of the stop.
        var name: String
        var path: String
    }

    let directory: String
    /// The executable's path.
    let executable: String
    /// In the order of the stops.
    let cores: [Core]

    init(of program: CoreProgram) throws {
        let directory = try Self.temporaryDirectory()
        self.directory = directory
        executable = program.executable.hasPrefix("/") ? program.executable : "\(directory)/\(program.executable)"
        cores = program.stops.map { Core(name: $0.name, path: "\(directory)/\($0.name).core") }
        for words in program.build { try Self.run(words, in: directory) }

        let script = "\(directory)/stops.gdb"
        try Data(Self.script(program).utf8).write(to: URL(fileURLWithPath: script))
        let diagnostics = try Self.run(
            ["gdb", "-nx", "-batch", "-iex", "set auto-load off", "-x", script, "--args", executable]
                + program.arguments,
            in: directory, environment: program.environment)
        for core in cores where access(core.path, R_OK) != 0 {
            throw TestFailure("\(program.name): no core \(core.name)\n\(diagnostics)")
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// The core of a stop.
    func core(_ stop: String) throws -> String {
        guard let core = cores.first(where: { $0.name == stop }) else { throw TestFailure("no stop \(stop)") }
        return core.path
    }

    /// The gdb script. It disables separate debug files, whose symbols would make stops depend on what is installed,
    /// and the machine's core filter, which selects the dumped memory. It first runs to the first instruction, when
    /// addresses are known.
    private static func script(_ program: CoreProgram) -> String {
        var lines = [
            "set pagination off", "set confirm off", "set debuginfod enabled off",
            "set debug-file-directory /nonexistent", "set startup-with-shell off", "set disable-randomization off",
            "set use-coredump-filter off", "set dump-excluded-mappings on", "set breakpoint pending on",
            "handle all nostop noprint pass", "starti",
        ]
        for stop in program.stops { lines += stop.commands + ["generate-core-file \(stop.name).core"] }
        return (lines + ["kill", ""]).joined(separator: "\n")
    }

    /// Runs an executable, and returns its output on both streams.
    @discardableResult
    static func run(_ words: [String], in directory: String, environment: [String: String] = [:]) throws -> String {
        try TestFixtures.run(
            words: words, in: directory,
            environment: ["DEBUGINFOD_URLS": "", "LC_ALL": "C"].merging(environment) { $1 })
    }

    private static func temporaryDirectory() throws -> String {
        var template = Array("/tmp/cfic-core-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw TestFailure("mkdtemp: errno \(errno)") }
        return template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }
}
