import CUnwindTable
import CallFrameInfo
import Search
import UnwindTable

/// Cuts an image's spans at page boundaries into chunks with about equal numbers of FDEs.
struct ChunkPlan<A: Architecture> {
    typealias Chunk = ChunkBuilder<A>.Chunk
    private(set) var chunks: [Chunk] = []

    /// With fewer FDEs, a thread isn't worthwhile.
    private static var minimumSpans: Int { 4096 }

    /// - Precondition: `index` isn't empty.
    init(_ index: borrowing FrameIndex, count: Int) {
        let spanCount = index.count
        let wanted = max(1, min(count, spanCount / Self.minimumSpans))
        let pageShift = UInt64(A.pcShift) + UInt64(CFIC_PAGE_BITS)
        let lastPage = (index.span(at: spanCount - 1).limit - 1) >> pageShift
        var cuts = [index.start(at: 0) >> pageShift]
        for number in 1..<max(wanted, 1) {
            let page = index.start(at: spanCount * number / wanted) >> pageShift
            if let last = cuts.last, page > last { cuts.append(page) }
        }
        for number in cuts.indices {
            let isLast = number == cuts.count - 1
            let floor = cuts[number] << pageShift
            let ceiling = isLast ? UInt64.max : cuts[number + 1] << pageShift
            let first = Self.firstSpan(index, reaching: floor)
            let end = isLast ? spanCount : Self.lowerBound(index, ceiling)
            chunks.append(
                Chunk(
                    spans: first..<end, floor: floor, ceiling: ceiling, firstPage: cuts[number],
                    lastPage: isLast ? lastPage : cuts[number + 1] - 1))
        }
    }

    /// Index of the first span that starts at or above `address`.
    private static func lowerBound(_ index: borrowing FrameIndex, _ address: UInt64) -> Int {
        (0..<index.count).partitioningIndex { index.start(at: $0) >= address }
    }

    /// The preceding span is needed too: it, or padding that gets its rule, may extend beyond `floor`.
    private static func firstSpan(_ index: borrowing FrameIndex, reaching floor: UInt64) -> Int {
        max(lowerBound(index, floor) - 1, 0)
    }
}

extension ChunkPlan: @unchecked Sendable {}
