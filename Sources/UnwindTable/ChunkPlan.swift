import CUnwindTable
import CallFrameInfo

/// Cuts an image's spans at page boundaries into chunks of about equal numbers of FDEs.
struct ChunkPlan<A: Architecture> {
    typealias Chunk = ChunkBuilder<A>.Chunk
    private(set) var chunks: [Chunk] = []

    /// Fewer FDEs than this are not worth a thread.
    private static var minimumSpans: Int { 4096 }

    /// - Precondition: `spans` isn't empty.
    init(_ spans: UnsafeMutableBufferPointer<FrameSpan>, count: Int) {
        let wanted = max(1, min(count, spans.count / Self.minimumSpans))
        let pageShift = UInt64(A.pcShift) + UInt64(CFIC_PAGE_BITS)
        let lastPage = (spans[spans.count - 1].limit - 1) >> pageShift
        var cuts = [spans[0].start >> pageShift]
        for number in 1..<max(wanted, 1) {
            let page = spans[spans.count * number / wanted].start >> pageShift
            if let last = cuts.last, page > last { cuts.append(page) }
        }
        for number in cuts.indices {
            let isLast = number == cuts.count - 1
            let floor = cuts[number] << pageShift
            let ceiling = isLast ? UInt64.max : cuts[number + 1] << pageShift
            let first = Self.firstSpan(spans, reaching: floor)
            let end = isLast ? spans.count : Self.lowerBound(spans, ceiling)
            chunks.append(Chunk(
                spans: first..<end, floor: floor, ceiling: ceiling, firstPage: cuts[number],
                lastPage: isLast ? lastPage : cuts[number + 1] - 1))
        }
    }

    /// Index of the first span that starts at or behind `address`.
    private static func lowerBound(_ spans: UnsafeMutableBufferPointer<FrameSpan>, _ address: UInt64) -> Int {
        var first = 0
        var end = spans.count
        while first < end {
            let middle = (first + end) / 2
            if spans[middle].start < address { first = middle + 1 } else { end = middle }
        }
        return first
    }

    /// The span before is needed too: it, or padding that it gives its rule to, may reach beyond `floor`.
    private static func firstSpan(_ spans: UnsafeMutableBufferPointer<FrameSpan>, reaching floor: UInt64) -> Int {
        max(lowerBound(spans, floor) - 1, 0)
    }
}

extension ChunkPlan: @unchecked Sendable {}
