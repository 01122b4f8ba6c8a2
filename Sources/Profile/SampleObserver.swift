import KernelUnwinder

/// Sees the stacks of a recording that came with snapshots, one by one, before only their counts remain.
package protocol SampleObserver: AnyObject {
    func note(_ stack: ObservedStack)

    /// Called with a number of snapshots whose samples were lost.
    func noteLost(_ snapshots: Int)

    /// The results so far of an observer that compares stacks; nil of others.
    var audit: RecordingCounters.Audit? { get }
}

extension SampleObserver {
    package func noteLost(_ snapshots: Int) {}
    package var audit: RecordingCounters.Audit? { nil }
}

/// A sample with its snapshot, as the profile counts it.
package struct ObservedStack {
    /// CLOCK_MONOTONIC, in nanoseconds.
    package var time: UInt64
    package var process: Int32
    package var thread: Int32
    /// The thread's name.
    package var command: String
    /// The innermost first: the kernel's, then those that were found in user space.
    package var frames: [Sample.Frame]
    /// How the walk ended: in user space, if it went on there.
    package var end: StackEnd
    /// Whether user space went on where the kernel's walk had ended.
    package var isFinished: Bool
    package var snapshot: StackSnapshot
    /// The mappings that it was unwound with or, if it was finished, those at the time of the sample; nil if it was unwound
    /// with none.
    package var images: ProcessImages?

    /// The number of frames that the kernel found.
    package var kernelCount: Int { frames.count { !$0.isFinished } }
}
