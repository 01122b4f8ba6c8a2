import CallFrameInfo
import Search
import TableCompiler

/// The addresses where an image's FDEs begin and end.
///
/// They only tell where to ask libdw again; answers always come from libdw.
struct FrameEdges {
    private var addresses: [UInt64] = []

    /// Sections that can't be read contribute no edges.
    init(_ sources: FrameSources) {
        var index = FrameIndex()
        withExtendedLifetime(sources) {
            guard (try? index.read(sources.sections, clippedTo: nil)) != nil else { return }
            addresses.reserveCapacity(2 * index.count)
            // Spans are disjoint and in ascending order.
            for position in 0..<index.count {
                let span = index.span(at: position)
                if addresses.last != span.start { addresses.append(span.start) }
                addresses.append(span.limit)
            }
        }
    }

    /// The first edge after an address; nil if there is none.
    func next(after address: UInt64) -> UInt64? {
        let first = addresses.partitioningIndex { $0 > address }
        return first < addresses.count ? addresses[first] : nil
    }
}
