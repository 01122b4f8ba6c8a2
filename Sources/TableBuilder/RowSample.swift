import CallFrameInfo
import UnwindTable

/// A sample of a table's rows, of bounded size, that templates are trained on: runs of neighbouring rows at equal
/// distances. It doesn't depend on how the pages were cut into chunks.
struct RowSample: ~Copyable {
    /// The number of neighbouring rows that are taken together.
    static var runLength: Int { 256 }
    /// As many rows as a table's size pays for: a sixth of them, but at least 8,192, and at most 24,576.
    static func limit(of rowCount: Int) -> Int { min(max(rowCount / 6, 8192), 24_576) }

    /// Unit << 16 | rule number of each row.
    private(set) var rows = GrowableBuffer<UInt32>()
    /// Where each stretch of neighbouring rows of one page begins, and the end of the last one.
    private(set) var starts = GrowableBuffer<Int32>()
    /// Of how many runs of the table each one is taken.
    private(set) var stride = 1

    /// Takes the sample of pages whose rows lie in some chunks, with the table's rule numbers by each chunk's.
    init<A: Architecture>(_ chunks: [ChunkHandle<A>], _ final: [[UInt16]]) {
        let total = chunks.reduce(0) { $0 + $1.chunk.sink.drafts.rowCount }
        let runs = (total + Self.runLength - 1) / Self.runLength
        let limit = Self.limit(of: total)
        stride = max(1, (runs * Self.runLength + limit - 1) / limit)
        rows.reserveCapacity(min(total, limit + Self.runLength))
        var passed = 0
        for (handle, final) in zip(chunks, final) {
            final.withUnsafeBufferPointer { final in
                for page in handle.chunk.sink.drafts.pages.elements where page.rowCount > 1 {
                    take(handle.chunk.sink.drafts.rows(of: page), final, after: passed)
                    passed += Int(page.rowCount)
                }
            }
        }
        starts.append(Int32(truncatingIfNeeded: rows.count))
    }

    /// Takes the rows of a page that belong to the sample. `passed` is the number of rows of the pages before it.
    private mutating func take(
        _ page: UnsafeBufferPointer<UInt32>, _ final: UnsafeBufferPointer<UInt16>, after passed: Int
    ) {
        let step = stride * Self.runLength
        // The first run that doesn't end before the page.
        var run = passed / step * step
        while run < passed + page.count {
            let first = max(run, passed) - passed, end = min(run + Self.runLength, passed + page.count) - passed
            run += step
            if first >= end { continue }
            starts.append(Int32(truncatingIfNeeded: rows.count))
            for position in first..<end {
                let row = page[position]
                rows.append(row & 0xffff_0000 | UInt32(final[Int(row & 0xffff)]))
            }
        }
    }

    /// Calls `body` with each stretch of neighbouring rows of one page.
    func forEachStretch(_ body: (UnsafeBufferPointer<UInt32>) -> Void) {
        for number in 0..<starts.count - 1 {
            let range = Int(starts.elements[number])..<Int(starts.elements[number + 1])
            body(UnsafeBufferPointer(rebasing: UnsafeBufferPointer(rows.elements)[range]))
        }
    }
}
