import Testing

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
    /// Commands that build it, as words; they run in the temporary directory.
    var build: [[String]] = []
    /// Absolute if it is the system's, or in the temporary directory.
    var executable: String
    var arguments: [String] = []
    var environment: [String: String] = [:]
    var stops: [Stop]

    /// Where the sources are.
    static let sources = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/testdata/programs"

    static var isForThisMachine: Bool {
        #if arch(x86_64)
            true
        #else
            false
        #endif
    }

    /// What optimised code without frame pointers is compiled with; symbols of functions are kept.
    static let optimised = ["-O2", "-fomit-frame-pointer", "-fcf-protection=none", "-Wall", "-Wextra"]

    /// A program of one source in C or C++, which a compiler is named for.
    init(_ name: String, source: String, compiler: String = "gcc", flags: [String] = [], stops: [Stop]) {
        self.init(
            name, build: [[compiler] + Self.optimised + flags + ["-o", name, "\(Self.sources)/\(source)"]],
            executable: name, stops: stops)
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

extension CoreProgram {
    /// All of them, for what holds of any stack.
    static let all = plain + interrupted + languages + assembly
}

extension CoreProgram: CustomTestStringConvertible {
    var testDescription: String { name }
}

extension CoreProgram.Stop {
    /// The first instruction of a function of the program itself, the next time it is called.
    static func at(_ function: String, named name: String? = nil) -> Self {
        Self(name: name ?? function, commands: ["tbreak *\(function)", "continue"])
    }

    /// The same for a function of a library, which is loaded once `main` was called; once in a program.
    static func inLibrary(_ function: String, named name: String? = nil) -> Self {
        let stop = at(function, named: name)
        return Self(name: stop.name, commands: ["tbreak main", "continue"] + stop.commands)
    }

    /// So many instructions further.
    static func further(_ count: Int, named name: String) -> Self {
        Self(name: name, commands: ["stepi \(count)"])
    }

    /// The next instruction that begins with these bytes.
    static func next(_ bytes: [UInt8], named name: String) -> Self {
        let differs = bytes.enumerated().map { "*((unsigned char *)$pc+\($0.offset)) != \($0.element)" }
        return Self(name: name, commands: ["while \(differs.joined(separator: " || "))", "stepi", "end"])
    }
}
