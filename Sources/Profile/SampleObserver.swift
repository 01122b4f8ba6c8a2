import KernelUnwinder

/// Sees the samples of a recording, one by one, before only their counts remain.
package protocol SampleObserver: AnyObject {
    /// - Parameter images: the mappings that the sample was unwound with; nil if it was unwound with none.
    func note(_ sample: Sample, _ images: ProcessImages?)

    /// Called when all samples that were available have been noted.
    func endRound() throws(KernelError)

    /// The results so far of an observer that compares stacks; nil of others.
    var audit: RecordingCounters.Audit? { get }
}

extension SampleObserver {
    package var audit: RecordingCounters.Audit? { nil }
}
