import Foundation
@testable import KernelUnwinder
import TestFixtures
import Testing

/// The switch of the last CPU, if tests may use it: others that run at the same time would lose their events there.
private let cpu: (number: Int32, path: String)? = {
    guard HostKernel.takesPrograms, ProcessInfo.processInfo.environment["CFIC_TEST_HOTPLUG"] != nil,
        let number = (1..<4096).last(where: { access("/sys/devices/system/cpu/cpu\($0)/online", W_OK) == 0 })
    else { return nil }
    return (Int32(number), "/sys/devices/system/cpu/cpu\(number)/online")
}()

/// CPUs that go offline and come back: `make test-hotplug`.
@Suite(
    .enabled(if: cpu != nil, "only make test-hotplug takes a CPU offline, as root, where that is possible"),
    .serialized, .timeLimit(.minutes(30)))
struct HotplugTests {
    private let unwinder: KernelUnwinder
    private let busy: [RunningProgram]

    init() throws {
        var options = KernelUnwinder.Options()
        options.samplesEveryone = true
        options.sampleBytes = 8 << 20
        unwinder = try KernelUnwinder(options)
        busy = try (0..<2 * sysconf(Int32(_SC_NPROCESSORS_CONF))).map { _ in
            try RunningProgram(["/bin/bash", "-c", "while :; do :; done"])
        }
    }

    private func set(isOnline: Bool) throws {
        try Data((isOnline ? "1" : "0").utf8).write(to: URL(fileURLWithPath: try #require(cpu).path))
    }

    /// Reads samples until there is one of the CPU, for at most a minute.
    private func isSampled() throws -> Bool {
        let start = ContinuousClock.now
        var isSampled = false
        while !isSampled, ContinuousClock.now - start < .seconds(60) {
            unwinder.wait(milliseconds: 50)
            try unwinder.readSamples { if $0.cpu == cpu?.number { isSampled = true } }
            _ = unwinder.update(unwinder.processEvents())
        }
        return isSampled
    }

    @Test func cpuThatComesBackIsSampledAgain() throws {
        var problems: [String] = []
        unwinder.onProblem = { problems.append($0) }
        try unwinder.start(.clock, frequency: 99)
        defer { try? set(isOnline: true) }
        #expect(try isSampled())
        try set(isOnline: false)
        let start = ContinuousClock.now
        while problems.isEmpty, ContinuousClock.now - start < .seconds(60) {
            unwinder.wait(milliseconds: 50)
            try unwinder.readSamples { _ in }
            _ = unwinder.update(unwinder.processEvents())
        }
        let number = try #require(cpu).number
        #expect(problems == ["CPU \(number) went offline, and was not sampled until it was back"])
        try set(isOnline: true)
        #expect(try isSampled())
        unwinder.close()
    }

    /// The list of CPUs is the same again when it is read.
    @Test func cpuThatWasOfflineForAMomentIsSampledAgain() throws {
        try unwinder.start(.clock, frequency: 99)
        defer { try? set(isOnline: true) }
        #expect(try isSampled())
        try set(isOnline: false)
        try set(isOnline: true)
        // Those that were taken before.
        try unwinder.readSamples { _ in }
        #expect(try isSampled())
        unwinder.close()
    }
}
