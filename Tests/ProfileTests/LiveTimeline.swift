import LinuxProcess
@testable import Profile
import Testing

extension Recorder {
    /// Expects that the timeline has each sample of each stack, at a time since sampling began.
    func expectTimeline(from began: UInt64, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let timeline = try #require(timeline, sourceLocation: sourceLocation), now = MonotonicClock.now
        let stacks = Array(stacks.counted)
        var samples = Array(repeating: 0, count: stacks.count)
        var waited = Array(repeating: 0.0, count: stacks.count)
        for sample in timeline {
            samples[sample.stack] += 1
            waited[sample.stack] += Double(sample.waited ?? 0)
            #expect((began...now).contains(sample.time) && sample.thread > 0, sourceLocation: sourceLocation)
            #expect((sample.cpu ?? .max) < 4096, sourceLocation: sourceLocation)
            #expect((sample.waited != nil) == stacks[sample.stack].stack.isWaiting, sourceLocation: sourceLocation)
        }
        #expect(samples == stacks.map(\.samples), sourceLocation: sourceLocation)
        let sums = self.stacks.waited
        for (number, stack) in stacks.enumerated() {
            // Each is rounded to a nanosecond.
            let sum = sums[stack.stack] ?? 0
            #expect(abs(waited[number] - sum) <= Double(samples[number]), sourceLocation: sourceLocation)
        }
    }
}
