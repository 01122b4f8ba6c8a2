import CUnwindTable
import CallFrameInfo
import UnwindTable

/// One chunk's builder, held by reference so that a thread can work on it.
///
/// Only one thread at a time touches a handle: the builder gives each thread another one.
final class ChunkHandle<A: Architecture>: @unchecked Sendable {
    var chunk = ChunkBuilder<A>()

    /// Rows that have a rule, by the chunk's own number.
    func uses(_ number: Int) -> UInt32 { chunk.sink.drafts.encoder.uses[number] }

    var pages: UnsafeMutableBufferPointer<EncodedPage> { chunk.sink.drafts.pages.elements }

    /// Bytes of the chunk's records; known when they are finished.
    private(set) var recordBytes = 0

    /// Puts the table's rule numbers, by the chunk's, in all pages, and the records behind the first `start` bytes of
    /// what the encoder writes to.
    func finishPages(_ final: [UInt16], start: Int) {
        chunk.sink.drafts.finishPages(final, start: start)
        recordBytes = chunk.sink.drafts.encoder.records.count - start
    }

    /// Rows less those that only repeat at a page's start what held before it.
    ///
    /// - Parameter inForce: the rule behind the chunk before, and behind this one.
    func mergedRows(inForce: inout UInt16, _ final: [UInt16]) -> UInt64 {
        var merged: UInt64 = 0
        for page in pages {
            merged += UInt64(page.rowCount) - (final[Int(page.firstRule)] == inForce ? 1 : 0)
            inForce = final[Int(page.lastRule)]
        }
        return merged
    }

    /// Bytes that an FDE covers whose rule has a reason.
    var unknownBytes: UInt64 { chunk.sink.drafts.unknownUnits << UInt64(A.pcShift) }
}
