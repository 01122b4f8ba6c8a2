/// A program that is run into a stack and stopped there, to be looked at from its core.
///
/// Sources are in testdata/programs. All is built and run in a temporary directory, under gdb: nothing of the machine's
/// own way with cores is used or changed.
struct CoreProgram: Sendable {
    /// A place that the program is stopped at, one after the other in one run.
    struct Stop: Sendable {
        /// What the core is called.
        var name: String
        /// Commands of gdb that lead there from the stop before, or from the first instruction of all.
        var commands: [String]
    }

    /// What stack it makes.
    var name: String
    /// Commands that build it, as words; they run in the temporary directory. Without one, `executable` is the system's.
    var build: [[String]] = []
    /// Absolute, or in the temporary directory.
    var executable: String
    var arguments: [String] = []
    var environment: [String: String] = [:]
    var stops: [Stop]

    /// Where the sources are.
    static let sources = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/testdata/programs"

    /// What optimised code without frame pointers is compiled with; symbols of functions are kept.
    static let optimised = ["-O2", "-fomit-frame-pointer", "-fcf-protection=none", "-Wall", "-Wextra"]

    /// A program of one source in C or C++, which a compiler is named for.
    init(
        _ name: String, source: String, compiler: String = "gcc", flags: [String] = [], arguments: [String] = [],
        stops: [Stop]
    ) {
        self.name = name
        executable = name
        build = [[compiler] + Self.optimised + flags + ["-o", name, "\(Self.sources)/\(source)"]]
        self.arguments = arguments
        self.stops = stops
    }

    init(
        _ name: String, build: [[String]] = [], executable: String, arguments: [String] = [],
        environment: [String: String] = [:], stops: [Stop]
    ) {
        self.name = name
        self.build = build
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.stops = stops
    }
}

extension CoreProgram.Stop {
    /// The first instruction of a function that has a symbol; the first time after the stop before.
    static func at(_ function: String, named name: String? = nil) -> Self {
        Self(name: name ?? function, commands: ["tbreak *\(function)", "continue"])
    }

    /// So many instructions further.
    static func further(_ count: Int, named name: String) -> Self {
        Self(name: name, commands: ["stepi \(count)"])
    }
}
