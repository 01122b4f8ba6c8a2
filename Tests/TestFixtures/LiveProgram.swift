import Foundation

/// A process of an executable built from testdata/programs. It is killed with the last reference.
public final class LiveProgram {
    public static let sources =
        #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
        + "/testdata/programs"
    /// Flags for optimised code without frame pointers, but with symbols of functions. Calls are bound at startup,
    /// because samples in the resolver of lazy binding have a test of their own.
    public static let optimised = ["-O2", "-fomit-frame-pointer", "-fcf-protection=none", "-w", "-Wl,-z,now"]

    /// Why a test that samples a process is skipped.
    public static var need: String { HostKernel.isLeftAlone ? HostKernel.need : HostKernel.need + ", and x86-64" }

    /// Whether processes can be sampled here, and the executables are for this machine.
    public static var canRun: Bool {
        #if arch(x86_64)
            HostKernel.takesPrograms
        #else
            false
        #endif
    }

    public let running: RunningProgram
    public var id: Int32 { running.id }
    private let fixture: Fixture?

    /// Runs an executable of the system.
    public init(_ words: [String], environment: [String: String] = [:]) throws {
        fixture = nil
        running = try RunningProgram(words, environment: environment)
    }

    /// Runs an executable that was built.
    public init(_ fixture: Fixture, _ name: String, _ arguments: [String] = []) throws {
        self.fixture = fixture
        running = try RunningProgram(["\(fixture.directory)/\(name)"] + arguments)
    }

    /// Waits for a child process of it.
    public func child() throws -> Int32 {
        for _ in 0..<1000 {
            let text = try? String(contentsOfFile: "/proc/\(id)/task/\(id)/children", encoding: .utf8)
            if let child = text?.split(separator: " ").first.flatMap({ Int32($0) }) { return child }
            usleep(5000)
        }
        throw TestFailure("the program made no child")
    }

    /// Stays in the nth call of `stop_here`.
    public static func spinning(
        _ source: String, at call: Int = 1, by compiler: String = "gcc", flags: [String] = []
    ) throws -> LiveProgram {
        let fixture = try Fixture()
        try run(
            words: [compiler] + optimised + flags + ["-DSPIN_AT=\(call)", "-o", "program", "\(sources)/\(source)"],
            in: fixture.directory)
        return try LiveProgram(fixture, "program")
    }

    /// Repeats its whole work endlessly.
    public static func repeating(_ source: String, by compiler: String = "gcc", once: String = "once") throws
        -> LiveProgram
    {
        let fixture = try Fixture()
        let directory = fixture.directory
        let compile = [compiler] + optimised + ["-c", "-o"]
        try run(words: compile + ["once.o", "-Dmain=once", "\(sources)/\(source)"], in: directory)
        try run(words: ["gcc"] + optimised + ["-c", "-DONCE=\"\(once)\"", "\(sources)/repeat.c"], in: directory)
        try run(words: [compiler, "-o", "program", "once.o", "repeat.o"], in: directory)
        return try LiveProgram(fixture, "program")
    }

    /// Stays in an unusual stack.
    public static func odd(_ arguments: String..., in fixture: Fixture? = nil) throws -> LiveProgram {
        let fixture = try fixture ?? Fixture()
        try run(words: ["gcc"] + optimised + ["-o", "odd", "\(sources)/odd-stacks.c"], in: fixture.directory)
        return try LiveProgram(fixture, "odd", arguments)
    }

    /// Binds calls lazily all the time: its stacks are below `_dl_runtime_resolve`, whose CFA is in rbx, which its callees
    /// have changed.
    public static func binding() throws -> LiveProgram {
        let fixture = try Fixture()
        try run(
            words: ["gcc"] + optimised.dropLast() + ["-Wl,-z,lazy", "-o", "odd", "\(sources)/odd-stacks.c"],
            in: fixture.directory)
        return try LiveProgram(fixture, "odd", ["bind"])
    }
}
