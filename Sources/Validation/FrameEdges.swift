import CallFrameInfo
import Search
import TableCompiler

/// Where an image's FDEs begin and end.
///
/// Only a hint where to ask libdw again: what it says is never taken from here.
struct FrameEdges {
    private var addresses: [UInt64] = []

    /// Sections that can't be read have no edges.
    init(_ sources: FrameSources) {
        var index = FrameIndex()
        withExtendedLifetime(sources) {
            guard (try? index.read(sources.sections, clippedTo: nil)) != nil else { return }
            addresses.reserveCapacity(2 * index.count)
            // By rising address, and disjoint.
            for position in 0..<index.count {
                let span = index.span(at: position)
                if addresses.last != span.start { addresses.append(span.start) }
                addresses.append(span.limit)
            }
        }
    }

    /// The first edge above an address; nil if there is none.
    func next(after address: UInt64) -> UInt64? {
        let first = addresses.partitioningIndex { $0 > address }
        return first < addresses.count ? addresses[first] : nil
    }
}
