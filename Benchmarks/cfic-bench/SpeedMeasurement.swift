import TableBuilder
import UnwindTable

/// The cost of one file for each way of reading its CFI. Times are in seconds, one sample per round.
struct FileSpeed {
    let input: Input
    let image: LoadedImage
    let rawRows: Int
    let rows: Int
    let tableBytes: Int
    /// The largest of several runs, measured before everything else; in bytes.
    var peakMemory: Int?

    var warm: [Double] = []
    var cold: [Double] = []
    var wallOneThread: [Double] = []
    var wallTwoThreads: [Double] = []
    var compile: [Double] = []
    var warmWalk: [Double] = []
    var interpretation: [Double] = []
    var walk: [Double] = []
    var readelf: [Double] = []
    /// Number of rows that the libdw walk found.
    var walkedRows: UInt64?

    /// Whether the file is so large that the cost of starting a process doesn't matter.
    var isLarge: Bool { image.frameBytes >= 1 << 20 }
    /// 2.5 × .eh_frame + 20 MiB, in bytes.
    var memoryLimit: Double { 2.5 * Double(image.frameBytes) + Double(20 << 20) }
}

/// Measures every input in every way, in turns, so that disturbances affect all alike.
struct SpeedMeasurement {
    private(set) var files: [FileSpeed] = []
    /// Seconds of CPU of `cfic compile` for a file of a few KiB whose table is stored: nearly all of it is start-up.
    private(set) var start: [Double] = []
    /// The same into an empty cache, with what the kernel does to write the table to disk.
    private(set) var firstCompile: [Double] = []
    private static let smallFile = "/bin/true"
    /// Errors, each once.
    private(set) var failures: [String] = []

    init(_ inputs: [Input], rounds: Int, tools: borrowing ToolMeasurement, progress: (String) -> Void) {
        // Before everything else, while this process is small (see ProcessCost.peakMemory).
        progress("peak memory")
        let peaks = inputs.map { peakMemory($0, tools) }
        var builder = TableBuilder()
        var files: [FileSpeed] = []
        for (input, peak) in zip(inputs, peaks) {
            guard let image = attempt({ try LoadedImage(path: input.path) }),
                let built = attempt({ try image.build(&builder) })
            else { continue }
            files.append(
                FileSpeed(
                    input: input, image: image, rawRows: Int(built.counts.rawRows), rows: Int(built.counts.rows),
                    tableBytes: built.table.count, peakMemory: peak))
        }
        var builds = BuildMeasurement()
        for round in 1...rounds {
            progress("round \(round) of \(rounds)")
            for index in files.indices {
                measureBuilds(&files[index], &builds)
                measureTools(&files[index], tools)
            }
            measureStart(tools)
        }
        self.files = files
    }

    private mutating func measureStart(_ tools: borrowing ToolMeasurement) {
        do {
            for _ in 0..<10 {
                let cache = firstCompile.count
                firstCompile.append(try tools.compile(Self.smallFile, intoCache: cache).cpu)
                start.append(try tools.compile(Self.smallFile, intoCache: cache).cpu)
            }
        } catch { fail(error) }
    }

    private mutating func peakMemory(_ input: Input, _ tools: borrowing ToolMeasurement) -> Int? {
        var peaks: [Int] = []
        do {
            for threads in [1, nil, 1, nil] { peaks.append(try tools.compile(input.path, threads: threads).peakMemory) }
        } catch { fail(error) }
        return peaks.max()
    }

    private mutating func measureBuilds(_ file: inout FileSpeed, _ builds: inout BuildMeasurement) {
        do {
            file.warm.append(try builds.warm(file.image))
            file.wallOneThread.append(try builds.wall(file.image, threads: 1))
            file.wallTwoThreads.append(try builds.wall(file.image, threads: 2))
        } catch { fail(error) }
    }

    private mutating func measureTools(_ file: inout FileSpeed, _ tools: borrowing ToolMeasurement) {
        let path = file.input.path
        do { file.cold.append(try tools.coldBuild(path)) } catch { fail(error) }
        do { file.compile.append(try tools.compile(path, threads: 1).cpu) } catch { fail(error) }
        do {
            let walk = try tools.warmWalk(path)
            file.warmWalk.append(walk.cpu)
            file.walkedRows = walk.rows
            file.walk.append(try tools.walk(path).cpu)
        } catch { fail(error) }
        do { file.interpretation.append(try tools.interpretation(path).cpu) } catch { fail(error) }
        do { file.readelf.append(try tools.readelf(path).cpu) } catch { fail(error) }
    }

    private mutating func attempt<Value>(_ body: () throws -> Value) -> Value? {
        do { return try body() } catch {
            fail(error)
            return nil
        }
    }

    private mutating func fail(_ error: any Error) {
        let message = "\(error)"
        if !failures.contains(message) { failures.append(message) }
    }
}
