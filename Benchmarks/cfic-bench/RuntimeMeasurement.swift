import CallChain
import Files
@preconcurrency import Glibc
import Symbols

/// What sampling costs the programs that are sampled: `make bench-runtime`. Times are in seconds, one per round.
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
    }

    struct PingPong {
        var wall: Double
        var cpu: Double
    }

    /// The number of times that a byte goes to and fro; four switches each, of which two are waits.
    static let count = 200_000

    var waits = SlowDown(name: "cfic profile --off-cpu", profiler: ["profile", "--off-cpu", "-o", "/dev/null"])
    var allWaits = SlowDown(
        name: "cfic profile --off-cpu --off-cpu-share 1",
        profiler: ["profile", "--off-cpu", "--off-cpu-share", "1", "-o", "/dev/null"])

    /// - Parameter cfic: the executable to measure.
    init(cfic: String, rounds: Int, progress: (String) -> Void) throws {
        for slowDown in [\RuntimeMeasurement.waits, \.allWaits] {
            progress("\(self[keyPath: slowDown].name), and pipe ping-pong")
            for _ in 0..<rounds {
                self[keyPath: slowDown].alone.append(try Self.pingPong())
                self[keyPath: slowDown].profiled.append(
                    try Self.profiling([cfic] + self[keyPath: slowDown].profiler, Self.pingPong))
                self[keyPath: slowDown].again.append(try Self.pingPong())
            }
        }
    }

    /// In a process of its own, which is bound to a CPU.
    private static func pingPong() throws -> PingPong {
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

    /// Runs `body` while a profiler samples.
    private static func profiling<Result>(_ words: [String], _ body: () throws -> Result) throws -> Result {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var profiler: pid_t = 0
        let code = posix_spawn(&profiler, words[0], &actions, nil, &arguments, environ)
        guard code == 0 else { throw ProcessFailure(description: "\(words[0]): \(systemMessage(code))") }
        defer {
            kill(profiler, SIGINT)
            waitpid(profiler, nil, 0)
        }
        // It samples when it has attached its programs: two for processes, and one for waits.
        let start = Clock.wall
        while links(of: profiler) < 3 {
            guard Clock.wall - start < 30, waitpid(profiler, nil, WNOHANG) == 0 else {
                throw ProcessFailure(description: "\(words.joined(separator: " ")) did not begin to sample")
            }
            usleep(10_000)
        }
        // The share settles.
        usleep(300_000)
        return try body()
    }

    private static func links(of process: pid_t) -> Int {
        ((try? Directory.names(in: "/proc/\(process)/fd")) ?? []).count { name in
            let target = resolvedLink("/proc/\(process)/fd/\(name)")
            return target.hasPrefix("anon_inode:bpf") && (target.contains("link") || target.contains("tracepoint"))
        }
    }

    private static func resolvedLink(_ path: String) -> String {
        var bytes = [CChar](repeating: 0, count: 256)
        let count = readlink(path, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : ""
    }
}

extension RuntimeMeasurement.SlowDown {
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
                value: waits.percent(\.cpu))
        ]
    }

    var text: String {
        var table = TextTable(
            [
                "Pipe ping-pong on one CPU, medians of \(waits.alone.count)", "ns per switch", "slower, CPU time",
                "slower, wall", "noise, CPU time", "noise, wall",
            ], left: [0])
        for slowDown in [waits, allWaits] {
            let percents = [
                slowDown.percent(\.cpu), slowDown.percent(\.wall), slowDown.noise(\.cpu), slowDown.noise(\.wall),
            ].map { decimal($0) + " %" }
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
                    ])
                )
            })
    }
}
