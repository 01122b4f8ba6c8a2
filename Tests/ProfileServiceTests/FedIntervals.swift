@testable import KernelUnwinder
@testable import Profile
import ProfileFormats
@testable import ProfileService

/// Intervals that a test makes, by a clock of its own.
struct FedIntervals {
    let requests: IntervalRequests
    private(set) var now = ContinuousClock.now

    init(longest: Duration = .seconds(10), jobLimit: Int = 8) {
        requests = IntervalRequests(longest: longest, jobLimit: jobLimit)
        _ = requests.isIntervalOver(at: now)
    }

    /// An interval with so many samples of a thread.
    static func interval(_ samples: Int, thread: String = "thread", lost: UInt64 = 0) -> RecordedInterval {
        var stacks = Stacks()
        for _ in 0..<samples {
            stacks.add(
                Stacks.Stack(
                    space: AddressSpace(process: 7), command: thread, kernelFrames: [], userFrames: [],
                    end: StackEnd(code: 1)))
        }
        let memory = KernelUnwinder.MemoryUse(
            budget: 0, mapped: 0, used: 0, tables: 0, evicted: 0, fileBytes: 0, evictions: 0, reloads: 0, refusals: 0)
        let recording = Recording(
            stacks: stacks, processes: ProcessHistories(), event: .clock, elapsed: .seconds(1), stopReason: .timeUp,
            counters: .success(Counters()), memory: memory)
        return RecordedInterval(recording, began: 1_000_000_000, lostSamples: lost)
    }

    /// A second later, gives out an interval if it is over.
    ///
    /// - Returns: whether it was.
    @discardableResult
    mutating func second(_ samples: Int = 1, thread: String = "thread", lost: UInt64 = 0) -> Bool {
        now += .seconds(1)
        guard requests.isIntervalOver(at: now) else { return false }
        requests.take(Self.interval(samples, thread: thread, lost: lost), at: now, isLast: false)
        return true
    }

    func end(_ samples: Int = 1) { requests.take(Self.interval(samples), at: now + .seconds(1), isLast: true) }

    /// Without names of functions.
    static func named(_ interval: RecordedInterval) -> NamedProfile {
        NamedProfile(interval.recording, names: Symbolizer(interval.recording.processes))
    }
}

/// Profiles that a request received.
final class Received: Sendable {
    private let profiles = Monitor<[IntervalProfile?]>([])
    var all: [IntervalProfile?] { profiles.withLock { $0 } }
    /// The number of samples of each.
    var samples: [Int?] { all.map { $0?.profile.total.samples } }

    var take: @Sendable (IntervalProfile?) -> Void { { profile in self.profiles.withLock { $0.append(profile) } } }
}
