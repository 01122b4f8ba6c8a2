import CUnwindTable
import CallFrameInfo
import UnwindTable

/// A reference to one chunk's builder, so that a thread can work on it.
///
/// Sendable because only one thread at a time uses a handle: `ArchitectureBuilder` gives each thread a different one.
final class ChunkHandle<A: Architecture>: @unchecked Sendable {
    var chunk = ChunkBuilder<A>()

    /// Number of rows with a rule, given the chunk's number for it.
    func uses(_ number: Int) -> UInt32 { chunk.sink.drafts.encoder.uses[number] }

    var pages: UnsafeMutableBufferPointer<EncodedPage> { chunk.sink.drafts.pages.elements }

    /// Size of the chunk's records in bytes; set by `finishPages`.
    private(set) var recordBytes = 0

    /// Replaces the chunk's rule numbers in all records with the table's, and moves the records to offset `start` of
    /// the encoder's output.
    ///
    /// - Parameter final: the table's rule numbers, by the chunk's.
    func finishPages(_ final: [UInt16], start: Int) {
        chunk.sink.drafts.finishPages(final, start: start)
        recordBytes = chunk.sink.drafts.encoder.records.count - start
    }

    /// Number of rows, without those at the start of a page that only repeat the rule of the preceding page's end.
    ///
    /// - Parameter inForce: the rule at the end of the preceding chunk; changed to that at the end of this one.
    func mergedRows(inForce: inout UInt16, _ final: [UInt16]) -> UInt64 {
        var merged: UInt64 = 0
        for page in pages {
            merged += UInt64(page.rowCount) - (final[Int(page.firstRule)] == inForce ? 1 : 0)
            inForce = final[Int(page.lastRule)]
        }
        return merged
    }

    /// Number of bytes that FDEs cover but for which there is a reason instead of a rule.
    var unknownBytes: UInt64 { chunk.sink.drafts.unknownUnits << UInt64(A.pcShift) }
}
