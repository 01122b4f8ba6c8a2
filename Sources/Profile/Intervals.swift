import Glibc
import KernelUnwinder
import LinuxProcess

/// Takes the intervals of a recording that goes on. Called on the thread that samples, which waits meanwhile: name and write
/// them on another one.
public protocol IntervalReceiver: AnyObject, Sendable {
    /// Whether the current interval has to end. Called after each round, about ten times a second.
    func isIntervalOver(at now: ContinuousClock.Instant) -> Bool

    /// Takes an interval. The next one has begun where it ends.
    ///
    /// - Parameters:
    ///   - interval: what was recorded in it.
    ///   - now: when it ended.
    ///   - isLast: whether sampling has ended.
    func take(_ interval: RecordedInterval, at now: ContinuousClock.Instant, isLast: Bool)
}

/// What was recorded in a part of a recording. It shares nothing that changes with the recording: another thread may take it.
public struct RecordedInterval: @unchecked Sendable {
    /// Without counters of its own: those are of the recording so far.
    public var recording: Recording
    /// When it began, by CLOCK_REALTIME, in nanoseconds.
    public var began: UInt64
    /// Samples that were taken in it, but could not be read.
    public var lostSamples: UInt64

    /// An interval of these parts.
    public init(_ recording: Recording, began: UInt64, lostSamples: UInt64) {
        (self.recording, self.began, self.lostSamples) = (recording, began, lostSamples)
    }
}

/// Cuts a recording into intervals.
struct IntervalCutter {
    private let receiver: any IntervalReceiver
    private var began: ContinuousClock.Instant
    private var beganByWallClock = Self.wallClock
    private var lost: UInt64 = 0

    init(_ receiver: any IntervalReceiver, began: ContinuousClock.Instant) {
        (self.receiver, self.began) = (receiver, began)
    }

    mutating func cutIfOver(
        _ recorder: Recorder, _ event: SamplingEvent?, _ describe: (inout Recording) -> Void
    ) throws(ProfileError) {
        guard receiver.isIntervalOver(at: .now) else { return }
        try cut(recorder, event, isLast: false, describe)
    }

    /// - Parameter describe: adds how samples were taken.
    mutating func cut(
        _ recorder: Recorder, _ event: SamplingEvent?, isLast: Bool, _ describe: (inout Recording) -> Void
    ) throws(ProfileError) {
        let now = ContinuousClock.now
        let counters = try ProfileError.ofUnwinder { () throws(KernelError) in try recorder.unwinder.counters() }
        let (stacks, code, cgroups, timeline) = recorder.takeInterval()
        var recording = Recording(
            stacks: stacks, processes: code, event: event, elapsed: now - began, stopReason: .timeUp,
            counters: .success(counters), memory: recorder.unwinder.memoryUse)
        (recording.cgroups, recording.timeline) = (cgroups, timeline)
        describe(&recording)
        let interval = RecordedInterval(
            recording, began: beganByWallClock, lostSamples: counters.lost - min(lost, counters.lost))
        (began, beganByWallClock, lost) = (now, Self.wallClock, counters.lost)
        receiver.take(interval, at: now, isLast: isLast)
    }

    private static var wallClock: UInt64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
    }
}
