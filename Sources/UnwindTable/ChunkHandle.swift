import CUnwindTable
import CallFrameInfo

/// One chunk's builder and its encoded pages, held by reference so that a thread can work on it.
///
/// Only one thread at a time touches a handle: the builder gives each thread another one.
final class ChunkHandle<A: Architecture>: @unchecked Sendable {
    var chunk = ChunkBuilder<A>()
    var encoder = PageEncoder()
    /// A directory entry for each drafted page; record places count from this chunk's first record.
    private(set) var entries: [UInt32] = []
    /// Bytes of the chunk's records.
    var recordBytes = 0
    /// Rows that have each rule, by the chunk's own numbers.
    private(set) var uses: [UInt32] = []

    /// Interprets and lowers the chunk.
    func build(
        _ plan: ChunkBuilder<A>.Chunk, index: borrowing FrameIndex, sections: [FrameSection], keepsGaps: Bool
    ) {
        chunk.build(plan, index: index, sections: sections, keepsGaps: keepsGaps)
        uses = [UInt32](repeating: 0, count: chunk.sink.ruleSet.rules.count)
        uses.withUnsafeMutableBufferPointer { uses in
            for row in chunk.sink.drafts.rows.elements { uses[Int(row & 0xffff)] &+= 1 }
        }
    }

    /// Encodes the pages with the encoder as it was begun; `final` gives the table's rule numbers by the chunk's.
    func encode(_ final: [UInt16]) {
        entries.removeAll(keepingCapacity: true)
        let rows = chunk.sink.drafts.rows.elements
        final.withUnsafeBufferPointer { final in
            for page in chunk.sink.drafts.pages.elements {
                let pageRows = UnsafeBufferPointer(rebasing: rows[page.firstRow..<page.firstRow + page.rowCount])
                entries.append(encoder.encode(pageRows, final: final))
            }
        }
    }

    /// Rows less those that only repeat at a page's start what held before it.
    ///
    /// - Parameter inForce: the rule behind the chunk before, and behind this one.
    func mergedRows(inForce: inout UInt16, _ final: [UInt16]) -> UInt64 {
        let rows = chunk.sink.drafts.rows.elements
        var merged = 0
        for page in chunk.sink.drafts.pages.elements {
            let first = final[Int(rows[page.firstRow] & 0xffff)]
            merged += page.rowCount - (first == inForce ? 1 : 0)
            inForce = final[Int(rows[page.firstRow + page.rowCount - 1] & 0xffff)]
        }
        return UInt64(merged)
    }

    /// Bytes that an FDE covers whose rule has a reason.
    func unknownBytes() -> UInt64 {
        let isUnknown = chunk.sink.ruleSet.rules.enumerated().map { $0.offset != 0 && $0.element.reason != nil }
        guard isUnknown.contains(true) else { return 0 }
        let rows = chunk.sink.drafts.rows.elements
        var units: UInt64 = 0
        for page in chunk.sink.drafts.pages.elements {
            for position in page.firstRow..<page.firstRow + page.rowCount where isUnknown[Int(rows[position] & 0xffff)] {
                let isLast = position == page.firstRow + page.rowCount - 1
                let end = isLast ? UInt64(CFIC_PAGE_UNITS) : UInt64(rows[position + 1] >> 16)
                units += (end - UInt64(rows[position] >> 16)) * page.count
            }
        }
        return units << UInt64(A.pcShift)
    }
}
