import CUnwindTable
import CallFrameInfo
import UnwindTable

/// A reference to one chunk's builder, so that a thread can work on it.
///
/// Sendable because only one thread at a time uses a handle: `ArchitectureBuilder` gives each thread a different one.
final class ChunkHandle<A: Architecture>: @unchecked Sendable {
    var chunk = ChunkBuilder<A>()

    /// Number of rows with a rule, given the chunk's number for it.
    func uses(_ number: Int) -> UInt32 { chunk.sink.drafts.uses[number] }

    var pages: UnsafeMutableBufferPointer<DraftPage> { chunk.sink.drafts.pages.elements }

    /// By trained symbol: how often items of this chunk use it; set by `makeItems`.
    private(set) var symbolUses = GrowableBuffer<UInt32>()
    var encoder = PageEncoder()

    /// Replaces the chunk's rows by items.
    ///
    /// - Parameters:
    ///   - final: the table's rule numbers, by the chunk's.
    ///   - symbolCount: the number of symbols of the trie.
    func makeItems(_ trie: borrowing TemplateTrie, final: [UInt16], symbolCount: Int) {
        symbolUses.reserveCapacity(symbolCount)
        symbolUses.setCount(symbolCount)
        symbolUses.elements.update(repeating: 0)
        // Not nil: there is at least rule 0.
        chunk.sink.drafts.makeItems(trie, final: final, uses: symbolUses.elements.baseAddress.unsafelyUnwrapped)
    }

    /// Encodes the chunk's pages, after `makeItems`.
    func encodePages(_ symbols: borrowing SymbolNumbering, final: [UInt16]) {
        chunk.sink.drafts.encode(by: &encoder, symbols, final: final)
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
