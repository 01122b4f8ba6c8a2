/// All measurements.
struct Report {
    var rounds: Int
    var speed: SpeedMeasurement?
    var sizes: [SizeMeasurement] = []
    var tree: TreeMeasurement?
    var kernel: KernelMeasurement?
    var sampling: SamplingMeasurement?
    var runtime: RuntimeMeasurement?
    /// Measurements that were not requested, or that this machine lacks the files for.
    var skipped: [String] = []
    /// Measurements that failed.
    var failures: [String] = []

    var bars: [Bar] {
        (speed?.bars ?? []) + sizes.flatMap(\.bars) + (kernel?.bars ?? []) + (sampling?.bars ?? [])
            + (runtime?.bars ?? [])
    }

    /// Whether nothing failed, and every bar was measured and is met.
    var isGood: Bool { failures.isEmpty && bars.allSatisfy { $0.verdict == .held } }
}

extension Report {
    /// The report as JSON. Times are medians in seconds.
    var json: JSON {
        .object([
            ("rounds", .integer(rounds)),
            ("files", .array((speed?.files ?? []).map(\.json))),
            ("start", .number(speed?.start.median)),
            ("firstCompile", .number(speed?.firstCompile.median)),
            ("sizes", .array(sizes.map(\.json))),
            ("tree", tree?.json ?? .null),
            ("kernel", kernel?.json ?? .null),
            ("sampling", sampling?.json ?? .null),
            ("runtime", runtime?.json ?? .null),
            ("skipped", .array(skipped.map { .string($0) })),
            ("failed", .array(failures.map { .string($0) })),
            ("bars", .array(bars.map(\.json))),
        ])
    }
}

extension FileSpeed {
    fileprivate var json: JSON {
        .object([
            ("name", .string(input.name)), ("path", .string(input.path)), ("frameBytes", .integer(image.frameBytes)),
            ("rawRows", .integer(rawRows)), ("rows", .integer(rows)), ("tableBytes", .integer(tableBytes)),
            ("walkedRows", walkedRows.map { .integer(Int($0)) } ?? .null),
            ("warm", .number(warm.median)), ("warmFastest", .number(warm.min())), ("cold", .number(cold.median)),
            ("wallOneThread", .number(wallOneThread.median)), ("wallTwoThreads", .number(wallTwoThreads.median)),
            ("compile", .number(compile.median)), ("libdwWarmWalk", .number(warmWalk.median)),
            ("minimalWarmWalk", .number(interpretation.median)), ("libdwWalk", .number(walk.median)),
            ("readelf", .number(readelf.median)),
            ("peakMemory", peakMemory.map { .integer($0) } ?? .null), ("memoryLimit", .number(memoryLimit)),
        ])
    }
}

extension SizeMeasurement {
    fileprivate var json: JSON {
        .object([
            ("roots", .array(roots.map { .string($0) })), ("machine", .string("\(machine)")),
            ("tables", .integer(tables)), ("bytes", .integer(bytes)),
            ("smallTables", .integer(small.tables)), ("smallBytesPerRow", .number(bytesPerRowOfSmall)),
            ("rows", .integer(Int(rows))), ("rawRows", .integer(Int(rawRows))), ("bytesPerRow", .number(bytesPerRow)),
            ("meanBytesPerRow", .number(meanBytesPerRow)), ("medianBytesPerRow", .number(bytesPerRowByFile.median)),
            ("parts", .object(parts.named.map { ($0.name, .integer($0.bytes)) })),
            ("duplicates", .integer(duplicates)),
            ("skipped", .object(skipped.sorted { $0.key < $1.key }.map { ($0.key, .integer($0.value)) })),
        ])
    }
}

extension TreeMeasurement {
    fileprivate var json: JSON {
        .object([
            ("roots", .array(roots.map { .string($0) })), ("files", .integer(files)), ("bytes", .integer(Int(bytes))),
            ("emptyCache", Self.json(empty)), ("warmCache", Self.json(warm)),
        ])
    }

    private static func json(_ cost: ProcessCost) -> JSON {
        .object([
            ("wall", .number(cost.wall)), ("cpu", .number(cost.cpu)), ("peakMemory", .integer(cost.peakMemory)),
            ("bytesRead", cost.bytesRead.map { .integer(Int($0)) } ?? .null),
            ("exitCode", .integer(Int(cost.exitCode))),
        ])
    }
}

extension Bar {
    fileprivate var json: JSON {
        .object([
            ("name", .string(name)), (isAtLeast ? "atLeast" : "atMost", .number(limit)), ("aim", .number(aim)),
            ("value", .number(value)), ("unit", .string(unit)), ("verdict", .string(verdict.rawValue)),
        ])
    }
}
