import CallChain
import Files
@preconcurrency import Glibc
import Symbols

/// What sampling waits costs the programs that are sampled: `make bench-runtime`. Times are in seconds, one per round.
struct RuntimeMeasurement {
    /// One program with and without a profiler, in turns.
    struct SlowDown {
        var name: String
        /// The command line after `cfic`.
        var profiler: [String]
        var alone: [PingPong] = []
        /// Again without a profiler, which shows what of the difference is noise.
        var again: [PingPong] = []
        var profiled: [PingPong] = []
        /// What the profiler itself used meanwhile.
        var uses: [RunningProfiler.Use] = []
    }

    struct PingPong {
        var wall: Double
        var cpu: Double
    }

    /// The number of times that a byte goes to and fro; four switches each, of which two are waits.
    static let count = 200_000

    var waits = SlowDown(name: "cfic profile --off-cpu", profiler: ["profile", "--off-cpu"])
    var allWaits = SlowDown(
        name: "cfic profile --off-cpu --off-cpu-share 1",
        profiler: ["profile", "--off-cpu", "--off-cpu-share", "1"])

    /// How long a program waited by its profile, divided by how long it did.
    var sums: [Double] = []

    /// - Parameter cfic: the executable to measure.
    init(cfic: String, rounds: Int, progress: (String) -> Void) throws {
        progress("cfic profile --off-cpu, and known waits")
        for _ in 0..<min(rounds, 5) { sums.append(try Self.knownWaits(cfic)) }
        for slowDown in [\RuntimeMeasurement.waits, \.allWaits] {
            progress("\(self[keyPath: slowDown].name), and pipe ping-pong")
            for _ in 0..<rounds {
                self[keyPath: slowDown].alone.append(try Self.pingPong())
                try self[keyPath: slowDown].measureProfiled(cfic)
                self[keyPath: slowDown].again.append(try Self.pingPong())
            }
        }
    }

    /// A program that waits tens of thousands of times a second, of which a share is sampled.
    private static func knownWaits(_ cfic: String) throws -> Double {
        let scratch = try TemporaryDirectory()
        let (stacks, output) = (scratch.path + "/stacks.folded", scratch.path + "/output")
        let running = try RunningProfiler([cfic, "profile", "--off-cpu", "-o", stacks])
        do {
            defer { running.stop() }
            try running.waitUntilSampling(3, settling: 0.3)
            _ = try run(["/proc/self/exe", "--known-waits", "3"], output: output)
        }
        guard let truth = (smallFile(output) ?? "").split(separator: "\n").first.flatMap({ Double($0) }), truth > 0
        else { throw ProcessFailure(description: "the waiting program printed no time") }
        return try waited(by: "known-waits", stacks) / truth
    }

    /// Runs in that process.
    static func printKnownWaits(_ seconds: Double) throws {
        var waited = 0.0
        guard known_waits(seconds, &waited) == 0 else { throw ProcessFailure(description: "waiting failed") }
        print(waited)
    }

    /// How long threads of that name waited, in seconds, by folded stacks.
    private static func waited(by thread: String, _ path: String) throws -> Double {
        guard let file = fopen(path, "re") else {
            throw ProcessFailure(description: "\(path): \(systemMessage(errno))")
        }
        defer { fclose(file) }
        var nanoseconds = 0.0
        var text: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(text) }
        while getline(&text, &capacity, file) > 0, let text {
            let line = String(cString: text)
            guard line.hasPrefix(thread + ";"), let number = line.split(whereSeparator: { " \n".contains($0) }).last
            else { continue }
            nanoseconds += Double(number) ?? 0
        }
        return nanoseconds / 1e9
    }

    /// In a process of its own, which is bound to a CPU.
    fileprivate static func pingPong() throws -> PingPong {
        let scratch = try TemporaryDirectory()
        let output = scratch.path + "/output"
        _ = try run(["/proc/self/exe", "--ping-pong", "\(count)"], output: output)
        let numbers = (smallFile(output) ?? "").split { " \n".contains($0) }.compactMap { Double($0) }
        guard numbers.count == 2 else { throw ProcessFailure(description: "ping-pong printed no times") }
        return PingPong(wall: numbers[0], cpu: numbers[1])
    }

    /// Runs in that process.
    static func printPingPong(_ count: Int) throws {
        var measured = ping_pong()
        guard ping_pong(count, &measured) == 0 else { throw ProcessFailure(description: "ping-pong failed") }
        print(measured.wall, measured.cpu)
    }
}

extension RuntimeMeasurement.SlowDown {
    fileprivate mutating func measureProfiled(_ cfic: String) throws {
        let running = try RunningProfiler([cfic] + profiler + ["-o", "/dev/null"])
        defer { running.stop() }
        // Two programs for processes, and one for waits.
        try running.waitUntilSampling(3, settling: 0.3)
        let before = running.use
        profiled.append(try RuntimeMeasurement.pingPong())
        uses.append(running.use - before)
    }

    /// The profiler's own CPU time, in percent of one CPU, and the time of its BPF programs in ns per run.
    var user: Double? { uses.map { $0.cpu / $0.wall * 100 }.median }
    var bpf: Double? { uses.map { $0.bpf * 1e9 / $0.runs }.median }

    /// How much longer the program took, in percent, by the medians.
    func percent(_ time: KeyPath<RuntimeMeasurement.PingPong, Double>) -> Double? {
        percent(profiled.map { $0[keyPath: time] }, time)
    }

    /// What the same comparison gives without a profiler.
    func noise(_ time: KeyPath<RuntimeMeasurement.PingPong, Double>) -> Double? {
        percent(again.map { $0[keyPath: time] }, time)
    }

    private func percent(_ times: [Double], _ time: KeyPath<RuntimeMeasurement.PingPong, Double>) -> Double? {
        guard let one = times.median, let other = alone.map({ $0[keyPath: time] }).median, other > 0 else { return nil }
        return (one / other - 1) * 100
    }

    /// Nanoseconds from one switch to the next, alone.
    var nanoseconds: Double? {
        alone.map(\.wall).median.map { $0 * 1e9 / Double(2 * RuntimeMeasurement.count) }
    }
}

extension RuntimeMeasurement {
    var bars: [Bar] {
        [
            Bar(
                name: "pipe ping-pong under cfic profile --off-cpu", unit: "% slower (CPU time)", limit: 5,
                value: waits.percent(\.cpu)),
            Bar(
                name: "sum of known waits under cfic profile --off-cpu", unit: "% from the truth", limit: 5,
                value: sums.map { abs($0 - 1) * 100 }.median),
        ]
    }

    var text: String {
        var table = TextTable(
            [
                "Pipe ping-pong on one CPU, medians of \(waits.alone.count)", "ns per switch", "slower, CPU time",
                "slower, wall", "noise, CPU time", "noise, wall", "user space", "BPF ns/run",
            ], left: [0])
        for slowDown in [waits, allWaits] {
            let percents =
                [
                    slowDown.percent(\.cpu), slowDown.percent(\.wall), slowDown.noise(\.cpu), slowDown.noise(\.wall),
                    slowDown.user,
                ].map { decimal($0) + " %" } + [decimal(slowDown.bpf, 0)]
            table.add([slowDown.name, decimal(slowDown.nanoseconds, 0)] + percents)
        }
        return table.text
    }

    var json: JSON {
        .object(
            [waits, allWaits].map { slowDown in
                (
                    slowDown.name,
                    .object([
                        ("nanosecondsPerSwitch", .number(slowDown.nanoseconds)),
                        ("slowerCPU", .number(slowDown.percent(\.cpu))),
                        ("slowerWall", .number(slowDown.percent(\.wall))),
                        ("noiseCPU", .number(slowDown.noise(\.cpu))), ("noiseWall", .number(slowDown.noise(\.wall))),
                        ("userPercent", .number(slowDown.user)),
                    ])
                )
            })
    }
}
