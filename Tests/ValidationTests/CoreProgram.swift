import Testing

/// An executable that is stopped with a certain stack, of which a core dump is made.
///
/// Sources are in testdata/programs. Everything is built and run in a temporary directory, under gdb, so that the
/// machine's own configuration of core dumps is neither used nor changed.
struct CoreProgram: Sendable {
    /// An address where the executable is stopped. One run has several stops.
    struct Stop: Sendable {
        /// The name of the core dump.
        var name: String
        /// gdb commands that lead there from the previous stop, or from the first instruction.
        var commands: [String]
    }

    /// Describes its stack.
    var name: String
    /// Commands that build it in the temporary directory.
    var build: [[String]] = []
    /// An absolute path of the system, or a name in the temporary directory.
    var executable: String
    var arguments: [String] = []
    var environment: [String: String] = [:]
    var stops: [Stop]

    /// The directory of the sources.
    static let sources = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/testdata/programs"

    static var isForThisMachine: Bool {
        #if arch(x86_64)
            true
        #else
            false
        #endif
    }

    /// Flags for optimised code without frame pointers, but with symbols of functions.
    static let optimised = ["-O2", "-fomit-frame-pointer", "-fcf-protection=none", "-Wall", "-Wextra"]

    /// An executable of one source in C or C++.
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
    /// All executables, for tests of any stack.
    static let all = plain + interrupted + languages + assembly
}

extension CoreProgram: CustomTestStringConvertible {
    var testDescription: String { name }
}

extension CoreProgram.Stop {
    /// The first instruction of one of the executable's functions, the next time it is called.
    static func at(_ function: String, named name: String? = nil) -> Self {
        Self(name: name ?? function, commands: ["tbreak *\(function)", "continue"])
    }

    /// The same for a function of a library, which is loaded once `main` is called. At most once per executable.
    static func inLibrary(_ function: String, named name: String? = nil) -> Self {
        let stop = at(function, named: name)
        return Self(name: stop.name, commands: ["tbreak main", "continue"] + stop.commands)
    }

    /// `count` instructions further.
    static func further(_ count: Int, named name: String) -> Self {
        Self(name: name, commands: ["stepi \(count)"])
    }

    /// The next instruction that starts with these bytes.
    static func next(_ bytes: [UInt8], named name: String) -> Self {
        let differs = bytes.enumerated().map { "*((unsigned char *)$pc+\($0.offset)) != \($0.element)" }
        return Self(name: name, commands: ["while \(differs.joined(separator: " || "))", "stepi", "end"])
    }
}
