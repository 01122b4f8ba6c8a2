import ELF
import TableBuilder
import TableCompiler
import UnwindTable

/// An image with its table's input already read.
struct LoadedImage {
    private let image: ELFImage
    private let frames: FrameSources
    private let executableBytes: UInt64
    private let source: TableSource

    init(path: String) throws {
        image = try ELFImage(path: path)
        frames = try FrameSources(of: image, search: nil)
        executableBytes = try image.executableRanges().reduce(0) { $0 + UInt64($1.count) }
        source = TableSource(machine: try image.tableMachine(), key: try image.tableKey(), size: image.size)
    }

    /// Size of .eh_frame and .debug_frame in bytes.
    var frameBytes: Int { frames.sections.reduce(0) { $0 + $1.bytes.count } }

    /// Only makes table bytes from section bytes.
    func build(_ builder: inout TableBuilder, threads: Int = 1) throws(TableError) -> TableBuilder.Result {
        try builder.build(
            frames.sections, executable: image.executableSegments, executableBytes: executableBytes, source: source,
            threads: threads)
    }
}

/// Prints the CPU time of the first build in a process, in nanoseconds. All its memory comes fresh from the kernel.
/// Freeing it is only included in measurements of whole processes.
func printColdBuild(_ path: String) throws {
    let image = try LoadedImage(path: path)
    var builder = TableBuilder()
    let start = Clock.cpu
    _ = try image.build(&builder)
    print("cpu_ns", Int((Clock.cpu - start) * 1e9))
}

/// Prints the CPU time per raw row of builds in memory used before: the fastest and the median of many, in nanoseconds.
func printWarmBuild(_ path: String, builds: Int = 60) throws {
    let image = try LoadedImage(path: path)
    var builder = TableBuilder()
    let rows = Double(try image.build(&builder).counts.rawRows)
    var seconds: [Double] = []
    for _ in 0..<builds {
        let start = Clock.cpu
        _ = try image.build(&builder)
        seconds.append(Clock.cpu - start)
    }
    seconds.sort()
    print("ns_a_row fastest", seconds[0] / rows * 1e9, "median", seconds[builds / 2] / rows * 1e9)
}

/// Times building tables in this process.
struct BuildMeasurement: ~Copyable {
    /// The least number of raw rows in one timed interval, so that intervals are long compared with the clock's
    /// resolution even for small files.
    private static let leastRows = 500_000
    private var warmBuilder = TableBuilder()
    private var threadedBuilder = TableBuilder()

    /// CPU seconds of a build in memory used for the same image before.
    mutating func warm(_ image: LoadedImage) throws(TableError) -> Double {
        let repetitions = Self.repetitions(try image.build(&warmBuilder))
        let start = Clock.cpu
        for _ in 0..<repetitions { _ = try image.build(&warmBuilder) }
        return (Clock.cpu - start) / Double(repetitions)
    }

    /// Wall seconds of a build with `threads` threads, in memory used before.
    mutating func wall(_ image: LoadedImage, threads: Int) throws(TableError) -> Double {
        let repetitions = Self.repetitions(try image.build(&threadedBuilder, threads: threads))
        let start = Clock.wall
        for _ in 0..<repetitions { _ = try image.build(&threadedBuilder, threads: threads) }
        return (Clock.wall - start) / Double(repetitions)
    }

    private static func repetitions(_ result: TableBuilder.Result) -> Int {
        max(1, leastRows / max(1, Int(result.counts.rawRows)))
    }
}
