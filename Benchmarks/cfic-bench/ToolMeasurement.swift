/// Runs the tools to compare, each in its own process.
struct ToolMeasurement: ~Copyable {
    let cfic: String
    let libdwWalk: String
    let minimalWalk: String
    private let scratch: TemporaryDirectory

    init(cfic: String, libdwWalk: String, minimalWalk: String) throws(ProcessFailure) {
        self.cfic = cfic
        self.libdwWalk = libdwWalk
        self.minimalWalk = minimalWalk
        scratch = try TemporaryDirectory()
    }

    /// `cfic compile` of one file to a file, without a cache.
    ///
    /// - Parameter threads: the number of threads; nil for cfic's default.
    func compile(_ path: String, threads: Int? = nil) throws(ProcessFailure) -> ProcessCost {
        try run(
            [cfic, "compile", path, "--force", "-o", "\(scratch.path)/table"]
                + (threads.map { ["-j", String($0)] } ?? []))
    }

    /// `cfic compile` of one file with the plainest command line, into the cache of this number. A cache is empty until
    /// its number is used.
    func compile(_ path: String, intoCache number: Int) throws(ProcessFailure) -> ProcessCost {
        try run([cfic, "compile", "--cache", "\(scratch.path)/cache-\(number)", path])
    }

    func readelf(_ path: String) throws(ProcessFailure) -> ProcessCost {
        // It exits with 1 even for a warning.
        try run(["readelf", "-wF", path], accepting: [0, 1])
    }

    /// The cost of a process that does the libdw walk once.
    func walk(_ path: String) throws(ProcessFailure) -> ProcessCost {
        try run([libdwWalk, path])
    }

    /// The cost of the libdw walk in a process that has already done it once.
    func warmWalk(_ path: String) throws(ProcessFailure) -> (cpu: Double, rows: UInt64) {
        try warmWalk([libdwWalk, "-r", "2", path])
    }

    /// The cost of the minimal walk in a process that has already done it once.
    func interpretation(_ path: String) throws(ProcessFailure) -> (cpu: Double, rows: UInt64) {
        try warmWalk([minimalWalk, "-r", "2", path])
    }

    private func warmWalk(_ command: [String]) throws(ProcessFailure) -> (cpu: Double, rows: UInt64) {
        let words = try words(of: command)
        let nanoseconds = try number(words, afterLast: "cpu_ns", command)
        return (Double(nanoseconds) / 1e9, try number(words, afterLast: "rows", command))
    }

    /// CPU seconds of the first build in a process, as ``printColdBuild(_:)`` measures it.
    func coldBuild(_ path: String) throws(ProcessFailure) -> Double {
        let command = ["/proc/self/exe", "--cold-build", path]
        return Double(try number(words(of: command), afterLast: "cpu_ns", command)) / 1e9
    }

    /// The number of ELF files in directories, and their total size.
    func countELF(_ roots: [String]) throws(ProcessFailure) -> (files: Int, bytes: UInt64) {
        let command = ["/proc/self/exe", "--count-elf"] + roots
        let words = try words(of: command)
        return (
            Int(clamping: try number(words, afterLast: "files", command)),
            try number(words, afterLast: "bytes", command)
        )
    }

    private func words(of command: [String]) throws(ProcessFailure) -> [Substring] {
        let output = "\(scratch.path)/output"
        _ = try run(command, output: output)
        return smallFile(output)?.split { $0 == " " || $0 == "\n" } ?? []
    }

    private func number(
        _ words: [Substring], afterLast label: Substring, _ command: [String]
    ) throws(ProcessFailure) -> UInt64 {
        guard let index = words.lastIndex(of: label), index + 1 < words.count, let number = UInt64(words[index + 1])
        else { throw ProcessFailure(description: "\(command.joined(separator: " ")): no \(label) in its output") }
        return number
    }
}

/// `cfic compile` of everything, first with an empty cache and then with the resulting cache.
struct TreeMeasurement {
    let roots: [String]
    let files: Int
    /// Size of the ELF files in bytes.
    let bytes: UInt64
    let empty: ProcessCost
    let warm: ProcessCost

    init(of roots: [String], tools: borrowing ToolMeasurement) throws(ProcessFailure) {
        self.roots = roots
        (files, bytes) = try tools.countELF(roots)
        let scratch = try TemporaryDirectory()
        let command = [tools.cfic, "compile"] + roots + ["--cache", "\(scratch.path)/cache", "--json"]
        // It exits with 1 if a file can't be compiled, but compiles the others.
        empty = try run(command, accepting: [0, 1])
        warm = try run(command, accepting: [0, 1])
    }
}
