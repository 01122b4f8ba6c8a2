import ArgumentParser
import ELF
import Files
import Foundation
import MadeUpProfile
import ProfileFormats
import Symbols

@main
struct ProfileBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "profile-bench",
        abstract: "Measures writing and reading profiles of a million samples, and naming 100,000 addresses.",
        discussion: """
            The profile is made up: Benchmarks/MadeUpProfile. Addresses are named in up to 200 of this machine's own \
            files, and so depend on what is installed. Exits with 1 if a bar is missed.

            With --recorded, it says what a real recording of so many samples takes as .cfic.
            """)

    @Option(help: "How often to measure.")
    var rounds = 5

    @Option(help: ArgumentHelp("A .cfic file, recorded by `cfic profile -a`, to measure.", valueName: "file"))
    var recorded: String?

    @Option(help: ArgumentHelp("Do this once, and print the seconds.", visibility: .hidden))
    var step: String?

    @Option(help: ArgumentHelp(visibility: .hidden))
    var file: String = ""

    func run() throws {
        if let step { return print(try Self.seconds(step, file)) }
        if let recorded { return try Self.measure(recorded) }
        let directory = FileManager.default.temporaryDirectory.appending(path: "profile-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        var isGood = true
        for type in ProfileFileType.allCases where type.format is any NamedProfileFormat {
            let name = "profile" + type.extensions[0]
            let file = directory.appending(path: name).path
            isGood = try measure("write", file, "writing \(name), from the profile in memory", 2000) && isGood
            let size = try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int ?? 0
            print("    \(Self.fixed(Double(size) / 1e6)) MB")
            if name.hasSuffix(".cfic") || name.hasSuffix(".pb.gz") || name.hasSuffix(".folded") {
                isGood = try measure("read", file, "reading it", 2000) && isGood
            }
        }
        isGood = try measure("name", "", "naming 100,000 addresses in 200 files, read before", 1000) && isGood
        var usage = rusage()
        getrusage(RUSAGE_CHILDREN.rawValue, &usage)
        isGood = Self.report("peak memory of any of it", "MiB", [Double(usage.ru_maxrss) / 1024], 300) && isGood
        if !isGood { throw ExitCode.failure }
    }

    private func measure(_ step: String, _ file: String, _ name: String, _ limit: Double) throws -> Bool {
        let seconds = try (0..<rounds).map { _ in try Self.child(step, file) }
        return Self.report(name, "ms", seconds.map { $0 * 1e3 }, limit)
    }

    /// In a process of its own, for its memory.
    private static func child(_ step: String, _ file: String) throws -> Double {
        let process = Process(), output = Pipe()
        process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["--step", step, "--file", file]
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard let seconds = Double(text.trimmingCharacters(in: .newlines)) else {
            throw ValidationError("\(step) \(file) failed")
        }
        return seconds
    }

    private static func seconds(_ step: String, _ file: String) throws -> Double {
        let clock = ContinuousClock()
        switch step {
        case "write":
            let format = ProfileFileType(path: file)?.format as? any NamedProfileFormat
            guard let format else { throw ValidationError("no format of \(file)") }
            let profile = MadeUpProfile.profile(hasTimes: format.needsTimes)
            return try clock.measure {
                try OutputFile.write(to: file) { try format.write(profile, to: &$0) }
            } / .seconds(1)
        case "read": return try clock.measure { _ = try ProfileReader.read(file).total } / .seconds(1)
        default: return try AddressNaming.seconds()
        }
    }

    /// What a real recording takes, and what of that are times.
    private static func measure(_ path: String) throws {
        var profile = try ProfileReader.read(path)
        let size = try written(profile), samples = profile.timeline?.count ?? 0
        profile.timeline = nil
        let without = try written(profile)
        print("\(samples) samples in \(fixed(profile.seconds)) s; \(profile.stacks.count) stacks, ", terminator: "")
        print("\(profile.nodes.count) nodes, \(profile.frames.count) frames, \(profile.names.count) names")
        print("\(size) bytes, of which \(size - without) are times")
    }

    private static func written(_ profile: NamedProfile) throws -> Int {
        var counter = ByteCounter()
        try CFICFormat().write(profile, to: &counter)
        return counter.count
    }

    private struct ByteCounter: ByteSink {
        var count = 0
        mutating func write(_ bytes: UnsafeRawBufferPointer) { count += bytes.count }
    }

    /// Prints the median and the range. Returns whether the median is within the limit.
    private static func report(_ name: String, _ unit: String, _ values: [Double], _ limit: Double) -> Bool {
        let sorted = values.sorted()
        let median = (sorted[sorted.count / 2] + sorted[(sorted.count - 1) / 2]) / 2
        let range = values.count > 1 ? " (\(fixed(sorted[0])) to \(fixed(sorted[sorted.count - 1])))" : ""
        let verdict = median <= limit ? "held" : "missed"
        print("  \(name): \(fixed(median)) \(unit)\(range); at most \(fixed(limit)): \(verdict)")
        return median <= limit
    }

    private static func fixed(_ number: Double) -> String { String(format: "%.1f", number) }
}
