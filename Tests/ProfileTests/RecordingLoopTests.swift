@testable import KernelUnwinder
@testable import Profile
import Testing

/// What a recording does, one thing after the other, without a kernel and a clock.
@Suite struct RecordingLoopTests {
    /// Takes a second for each wait, and notes what it is told.
    private final class Source: SampleSource {
        var time = Duration.zero
        var calls: [String] = []
        /// Number of the collection that fails.
        var failing: Int?

        func wait() {
            calls.append("wait")
            time += .seconds(1)
        }

        func collect() throws(ProfileError) {
            calls.append("collect")
            if calls.count(where: { $0 == "collect" }) == failing { throw .system("collecting", errno: 5) }
        }

        func stop() { calls.append("stop") }
    }

    private let source = Source()

    private func run(
        duration: Duration? = nil, endsAt end: Duration = .seconds(1000), request: () -> StopRequest? = { nil }
    ) throws(ProfileError) -> (reason: StopReason, elapsed: Duration) {
        let loop = RecordingLoop(source: source, rule: StopRule(duration: duration), elapsed: { source.time })
        return try loop.run(hasTargetEnded: { source.time >= end }, request: request)
    }

    @Test func itCollectsAfterEachWaitAndOnceMoreAfterTheEnd() throws {
        let end = try run(duration: .seconds(2))
        #expect(end == (.timeUp, .seconds(2)))
        #expect(source.calls == ["wait", "collect", "wait", "collect", "stop", "collect"])
    }

    @Test func itEndsWithItsTarget() throws {
        #expect(try run(duration: .seconds(9), endsAt: .seconds(3)) == (.targetEnded, .seconds(3)))
        #expect(source.calls.count { $0 == "stop" } == 1 && source.calls.last == "collect")
    }

    /// There may be samples of a target that ended while it was being started.
    @Test func targetThatHasEndedAlreadyIsCollectedToo() throws {
        #expect(try run(endsAt: .zero) == (.targetEnded, .zero))
        #expect(source.calls == ["stop", "collect"])
    }

    @Test func itEndsWhenItIsAskedTo() throws {
        let end = try run { source.time >= .seconds(1) ? .signal(2) : nil }
        #expect(end == (.requested(.signal(2)), .seconds(1)))
        #expect(source.calls == ["wait", "collect", "stop", "collect"])
    }

    @Test func roundsAreToldWhenTheyBegan() throws {
        let loop = RecordingLoop(
            source: source, rule: StopRule(duration: .seconds(3)), elapsed: { [source] in source.time })
        var rounds: [Duration] = []
        _ = try loop.run(hasTargetEnded: { false }, request: { nil }, onRound: { rounds.append($0) })
        #expect(rounds == [.zero, .seconds(1), .seconds(2)])
    }

    @Test func countersAreReportedEveryFewSeconds() throws {
        let memory = KernelUnwinder.MemoryUse(
            budget: 0, mapped: 0, used: 0, tables: 0, evicted: 0, fileBytes: 0, evictions: 0, reloads: 0, refusals: 0)
        var received: [Duration] = []
        var reports = RegularReports<RecordingCounters>(every: .seconds(5)) { received.append($0.elapsed) }
        for elapsed in [0, 4.9, 5, 5.1, 9.9, 12, 16.9, 17] {
            let elapsed = Duration.seconds(elapsed)
            try reports.reportIfDue(after: elapsed) { () throws(ProfileError) in
                RecordingCounters(elapsed: elapsed, kernel: Counters(), memory: memory)
            }
        }
        #expect(received == [5, 12, 17].map { Duration.seconds($0) })
    }

    @Test(arguments: [1, 2]) func failureIsPassedOn(number: Int) {
        source.failing = number
        let error = #expect(throws: ProfileError.self) { try run(duration: .seconds(1)) }
        #expect(error?.description == "collecting: Input/output error")
    }
}
