/// A promised limit and the measured value.
struct Bar {
    enum Verdict: String {
        case held, missed
        case notMeasured = "not measured"
    }

    var name: String
    var unit: String
    /// The promised maximum, or minimum if `isAtLeast`.
    var limit: Double
    var isAtLeast = false
    /// A stricter goal, not promised.
    var aim: Double?
    /// Nil if it could not be measured.
    var value: Double?

    var verdict: Verdict {
        guard let value else { return .notMeasured }
        return (isAtLeast ? value >= limit : value <= limit) ? .held : .missed
    }
}

extension SpeedMeasurement {
    private var largeFiles: [FileSpeed] { files.filter(\.isLarge) }

    var bars: [Bar] {
        [
            Bar(
                name: "build, warm buffers, large files", unit: "ns per raw row", limit: 15,
                value: nanosecondsPerRow(\.warm)),
            Bar(
                name: "build, fresh memory, large files", unit: "ns per raw row", limit: 30,
                value: nanosecondsPerRow(\.cold)),
            // The same two limits relative to the machine's speed: on the machine where they were set, the minimal C
            // walk took 5.63 ns per row of libLLVM, clang and node.
            Bar(
                name: "build, warm buffers / minimal C walk, large files", unit: "times", limit: 15 / 5.63,
                value: largeRatio(\.warm, \.interpretation)),
            Bar(
                name: "build, fresh memory / minimal C walk, large files", unit: "times", limit: 30 / 5.63,
                value: largeRatio(\.cold, \.interpretation)),
            Bar(
                name: "cfic compile swift-frontend", unit: "ms of CPU", limit: 100, aim: 60,
                value: files.first { $0.input.name == "swift-frontend" }?.compile.median.map { $0 * 1e3 }),
            Bar(
                name: "cfic compile of a small file, table stored", unit: "ms of CPU", limit: 3,
                value: start.median.map { $0 * 1e3 }),
            Bar(
                name: "libdw walk / build, in process", unit: "times", limit: 10, isAtLeast: true,
                value: ratio(\.warmWalk, \.warm)),
            Bar(
                name: "libdw walk / cfic compile, whole process", unit: "times", limit: 10, isAtLeast: true,
                value: ratio(\.walk, \.compile)),
            Bar(name: "peak memory / (2.5 x .eh_frame + 20 MiB)", unit: "at worst", limit: 1, value: worstMemory),
        ]
    }

    /// CPU time divided by the number of raw rows, both summed over the large files.
    private func nanosecondsPerRow(_ samples: KeyPath<FileSpeed, [Double]>) -> Double? {
        guard let seconds = sum(samples, largeFiles) else { return nil }
        return seconds * 1e9 / Double(largeFiles.reduce(0) { $0 + $1.rawRows })
    }

    /// The ratio of the sums over the large files.
    private func largeRatio(_ one: KeyPath<FileSpeed, [Double]>, _ other: KeyPath<FileSpeed, [Double]>) -> Double? {
        guard let one = sum(one, largeFiles), let other = sum(other, largeFiles) else { return nil }
        return one / other
    }

    /// The ratio of the sums over all files.
    private func ratio(_ one: KeyPath<FileSpeed, [Double]>, _ other: KeyPath<FileSpeed, [Double]>) -> Double? {
        guard let one = sum(one, files), let other = sum(other, files) else { return nil }
        return one / other
    }

    /// The sum of the medians; nil if there are no files or one has no samples.
    private func sum(_ samples: KeyPath<FileSpeed, [Double]>, _ files: [FileSpeed]) -> Double? {
        let medians = files.compactMap { $0[keyPath: samples].median }
        return medians.isEmpty || medians.count < files.count ? nil : medians.reduce(0, +)
    }

    private var worstMemory: Double? {
        let shares = files.compactMap { file in file.peakMemory.map { Double($0) / file.memoryLimit } }
        return shares.count < files.count ? nil : shares.max()
    }
}

extension SizeMeasurement {
    var bars: [Bar] {
        let place = "\(machine) tables, all of \(roots.joined(separator: " and "))"
        return [
            Bar(
                name: place, unit: "bytes per row", limit: machine == .x86_64 ? 1.15 : 1.5, value: bytesPerRow),
            Bar(
                name: "\(place), below 500 rows", unit: "bytes per row", limit: 6, value: bytesPerRowOfSmall),
        ]
    }
}
