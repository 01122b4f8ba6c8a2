import ArgumentParser
import Chromium
import Files
import Foundation
import MadeUpProfile
import ProfileFormats

@main
struct FlameGraphBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flame-graph-bench",
        abstract: "Measures writing flame graphs and other formats, and opening and searching their page in Chromium.",
        discussion: """
            The profile is made up: a million samples, 100,000 stacks of 30 frames, of which on average half are those \
            of the stack before; 20,000 functions. Exits with 1 if a bar is missed.
            """)

    @Option(help: "How often to measure.")
    var rounds = 5

    @Option(help: ArgumentHelp("Write to this file once, and print the seconds.", visibility: .hidden))
    var write: String?

    func run() throws {
        if let write { return print(try Self.write(to: write)) }
        let directory = FileManager.default.temporaryDirectory.appending(path: "flame-graph-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        var isGood = true
        for name in ["profile.html", "profile.svg", "profile.pb.gz", "profile.json.gz", "profile.perf"] {
            let file = directory.appending(path: name)
            let seconds = try (0..<rounds).map { _ in try Self.child(file.path) }
            let size = try FileManager.default.attributesOfItem(atPath: file.path)[.size] as? Int ?? 0
            print("\(name): \(Self.fixed(Double(size) / 1e6)) MB")
            isGood =
                Self.report("writing it, from the profile in memory", "ms", seconds.map { $0 * 1e3 }, 2000) && isGood
        }
        var usage = rusage()
        getrusage(RUSAGE_CHILDREN.rawValue, &usage)
        isGood = Self.report("peak memory, profile included", "MiB", [Double(usage.ru_maxrss) / 1024], 300) && isGood
        isGood = try measurePage(directory.appending(path: "profile.html").path) && isGood
        if !isGood { throw ExitCode.failure }
    }

    /// In a process of its own, for its memory.
    private static func child(_ file: String) throws -> Double {
        let process = Process(), output = Pipe()
        process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["--write", file]
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard let seconds = Double(text.trimmingCharacters(in: .newlines)) else {
            throw ValidationError("writing \(file) failed")
        }
        return seconds
    }

    private static func write(to file: String) throws -> Double {
        let profile = MadeUpProfile.profile(hasTimes: true)
        let clock = ContinuousClock(), start = clock.now
        guard let format = ProfileFileType(path: file)?.format as? any NamedProfileFormat else {
            throw ValidationError("\(file) has no format")
        }
        try OutputFile.write(to: file, isDurable: false) { try format.write(profile, to: &$0) }
        return (clock.now - start) / .seconds(1)
    }

    private func measurePage(_ file: String) throws -> Bool {
        let browser = try Chromium()
        var opening: [Double] = []
        for _ in 0..<rounds {
            try browser.open(file)
            opening.append(
                try browser.evaluate(
                    """
                    new Promise(done => {
                      const [mark] = performance.getEntriesByName("drawn");
                      if (mark) return done(mark.startTime);
                      new PerformanceObserver(list => done(list.getEntries()[0].startTime)).observe({ type: "mark" });
                    })
                    """))
        }
        var isGood = Self.report("from opening the page to the drawn graph and table", "ms", opening, 1000)
        for text in ["function_1", "function_123", "f", "/ion_.*7$/"] {
            let times = try (0..<rounds).map { _ in try Self.search(text, browser) }
            isGood = Self.report("searching for \(text), until it is drawn", "ms", times, 100) && isGood
        }
        for complaint in browser.complaints { print("the browser complains: \(complaint)") }
        return isGood && browser.complaints.isEmpty
    }

    /// From the change of the text to the end of the frame that shows what matches.
    private static func search(_ text: String, _ browser: Chromium) throws -> Double {
        try browser.evaluate(
            """
            (async () => {
              const search = document.getElementById("search");
              const type = async text => {
                const start = performance.now();
                search.value = text;
                search.dispatchEvent(new Event("input"));
                await new Promise(done => requestAnimationFrame(() => {
                  const { port1, port2 } = new MessageChannel();
                  port1.onmessage = done;
                  port2.postMessage(null);
                }));
                return performance.now() - start;
              };
              await type("");
              return await type("\(text)");
            })()
            """)
    }

    /// Prints the median and the range. Returns whether the median is within the limit.
    private static func report(_ name: String, _ unit: String, _ values: [Double], _ limit: Double) -> Bool {
        let sorted = values.sorted()
        let median = (sorted[sorted.count / 2] + sorted[(sorted.count - 1) / 2]) / 2
        let verdict = median <= limit ? "held" : "missed"
        let range = values.count > 1 ? " (\(fixed(sorted[0])) to \(fixed(sorted[sorted.count - 1])))" : ""
        print("  \(name): \(fixed(median)) \(unit)\(range); at most \(fixed(limit)): \(verdict)")
        return median <= limit
    }

    private static func fixed(_ number: Double) -> String { String(format: "%.1f", number) }
}
