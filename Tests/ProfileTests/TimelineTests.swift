@testable import Profile
import Testing

/// Samples one by one.
@Suite struct TimelineTests {
    private static func sample(
        _ time: UInt64, thread: Int32 = 1, cpu: UInt32? = 0, stack: Int = 0, waited: UInt64? = nil
    ) -> Timeline.Sample {
        Timeline.Sample(time: time, thread: thread, cpu: cpu, stack: stack, waited: waited)
    }

    @Test func samplesAreKeptAsTheyAre() {
        let samples = [
            Self.sample(1_000_000_000_000, thread: 4_000_000, cpu: 3, stack: 7),
            Self.sample(.max, thread: .max, cpu: .max, stack: 1 << 24, waited: .max),
            Self.sample(0, thread: .min, cpu: nil, stack: 0, waited: 0),
            Self.sample(1 << 63, thread: 0, cpu: 0, stack: 7),
            Self.sample(1 << 63 - 1, thread: -1, cpu: 1 << 31, stack: 0, waited: 1),
        ]
        var timeline = Timeline()
        for sample in samples { timeline.append(sample) }
        #expect(Array(timeline) == samples && timeline.count == samples.count)
    }

    /// More than fit into one chunk.
    @Test func longRecordingsTakeFewBytesPerSample() {
        var timeline = Timeline(), random = SystemRandomNumberGenerator()
        var samples: [Timeline.Sample] = []
        for number in 0..<100_000 {
            let jitter = UInt64.random(in: 0..<100_000, using: &random)
            samples.append(
                Self.sample(
                    UInt64(number) * 5_050_505 + jitter, thread: .random(in: 1000..<3000, using: &random),
                    cpu: UInt32(number % 2), stack: .random(in: 0..<5000, using: &random)))
            timeline.append(samples[number])
        }
        #expect(timeline.count == 100_000 && timeline.elementsEqual(samples))
        #expect(timeline.byteCount < 1_100_000, "\(timeline.byteCount)")
    }

    @Test func stacksAreRenumberedAndMerged() {
        var timeline = Timeline()
        for stack in [0, 1, 2, 1] { timeline.append(Self.sample(1, stack: stack)) }
        // 0 and 2 become one.
        timeline.renumber { [5, 3, 5][$0] }
        #expect(timeline.map(\.stack) == [5, 3, 5, 3])
        for stack in [0, 5, 3] { timeline.append(Self.sample(2, stack: stack)) }
        #expect(timeline.map(\.stack) == [5, 3, 5, 3, 0, 5, 3])
        timeline.renumber { $0 + 1 }
        #expect(timeline.map(\.stack) == [6, 4, 6, 4, 1, 6, 4])
    }

    @Test func copiesAreApart() {
        var timeline = Timeline()
        timeline.append(Self.sample(1, stack: 1))
        var copy = timeline
        copy.renumber { _ in 9 }
        copy.append(Self.sample(2, stack: 9))
        #expect(timeline.map(\.stack) == [1] && copy.map(\.stack) == [9, 9])
    }

    /// A wait is read when it ends, and began before samples that were read earlier.
    @Test func sortedSamplesAreInTheOrderOfTime() {
        var timeline = Timeline()
        let samples = [Self.sample(5, stack: 1), Self.sample(2, waited: 4), Self.sample(5, stack: 0), Self.sample(1)]
        for sample in samples { timeline.append(sample) }
        #expect(timeline.sorted == [samples[3], samples[1], samples[0], samples[2]])
    }

    @Test func anchorIsOneMomentByTwoClocks() {
        let (one, other) = (Timeline.Anchor.now, Timeline.Anchor.now)
        #expect(one.monotonic <= other.monotonic && one.wall > 1_600_000_000_000_000_000)
    }
}
