import CUnwindTable
import LinuxProcess

/// The end of a wait whose ``Sample`` came before.
public struct Wait: Equatable, Sendable {
    /// The sample's thread.
    public var thread: Int32
    /// The sample's time: CLOCK_MONOTONIC, in nanoseconds.
    public var began: UInt64
    /// How long the thread waited, in nanoseconds, until it ran again.
    public var length: UInt64

    init(thread: Int32, began: UInt64, length: UInt64) {
        (self.thread, self.began, self.length) = (thread, began, length)
    }

    /// Nil if the bytes are not the end of a wait.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == MemoryLayout<cfic_wait>.size, let start = bytes.baseAddress else { return nil }
        let fields = start.loadUnaligned(as: cfic_wait.self)
        (thread, began, length) = (Int32(bitPattern: fields.thread), fields.began, fields.waited)
    }
}

/// Which waits are sampled: those of threads that pass the ``SampleFilter``. A thread that was preempted, and so waits
/// only for a CPU, is not sampled.
public struct WaitSampling: Sendable {
    /// The share of waits that is sampled, at random, above 0 and at most 1. Nil: as many as give about
    /// ``samplesPerSecond``, adjusted all the time.
    public var share: Double?
    /// Shorter waits are left out, in nanoseconds.
    public var minimum: UInt64 = 1000

    /// Chooses the share by itself.
    public init() {}

    /// So many that a few seconds show where threads wait, and so few that nobody notices.
    public static let samplesPerSecond = 250.0

    /// `cfic_settings.wait_budget`: twice what a CPU takes in a round on average.
    var budget: UInt32 {
        guard share == nil else { return 0 }
        return UInt32(max(16, 2 * WaitShare.target / Double(OnlineCPUs.list.count)))
    }
}

/// The share of waits that is sampled, chosen from round to round so that each round has a number of samples.
struct WaitShare: Equatable {
    /// Above 0 and at most 1.
    private(set) var share = 1.0

    /// Samples per round.
    static let target = WaitSampling.samplesPerSecond * WaitSampler.round
    /// After a round with few samples, the share grows by at most this factor: few samples say little about how many
    /// waits there are.
    static let growth = 4.0
    private static let smallest = 0x1p-20

    /// - Parameters:
    ///   - waits: how many waits there were in the round, estimated from its samples; 0 if there was no sample.
    ///   - seconds: the length of the round.
    mutating func endRound(waits: Double, seconds: Double) {
        let fitting = Self.target * seconds / WaitSampler.round / max(waits, 1e-9)
        share = min(1, max(Self.smallest, min(fitting, share * Self.growth)))
    }

    /// `cfic_wait_share.threshold`
    static func threshold(_ share: Double) -> UInt32 { UInt32(max(0, min(0x1p32, share * 0x1p32) - 1)) }
}
