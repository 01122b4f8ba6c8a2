import CUnwindTable
import CallFrameInfo
import Search
import UnwindTable

/// An FDE that is malformed, entirely or from some instruction on.
public struct BadFrame: Sendable {
    /// Index of the section.
    public var section: Int
    /// Offset of the FDE in its section.
    public var offset: Int
    /// SVMA of the first byte that the FDE is responsible for.
    public var start: UInt64
    /// Offset in the section of the invalid instruction, or of the FDE if its CIE is invalid or an address misaligned.
    public var blamed: Int
    public var error: CFIError
}

/// Builds the pages of one chunk. Several threads do this at once; the result doesn't depend on where chunks are cut.
struct ChunkBuilder<A: Architecture>: ~Copyable {
    struct Chunk {
        /// The spans that start below `ceiling`, beginning with the last one that starts below `floor`.
        var spans: Range<Int>
        /// Addresses of the first page and of the next chunk's first page. The last chunk's `ceiling` is the end of the
        /// address space.
        var floor: UInt64
        var ceiling: UInt64
        var firstPage: UInt64
        var lastPage: UInt64
    }

    var sink = LoweringSink<A>()
    var absorbedBytes: UInt64 = 0
    var rawRowCount: Int { sink.rowCount }
    var badFrames: [BadFrame] = []
    /// Whether the builder found overlapping spans, and stopped there.
    private(set) var hasOverlaps = false
    private var contexts = CIEContexts<A>()
    /// By CIE: whether its FDEs are inferred; empty if none are.
    private var isInferred: [Bool] = []
    private var partial: [UInt64: [LoweredRow]] = [:]

    mutating func build(
        _ chunk: Chunk, index: borrowing FrameIndex, sections: [FrameSection], keepsGaps: Bool
    ) {
        sink.drafts.begin(page: chunk.firstPage)
        let count = index.count
        for position in chunk.spans {
            let span = index.span(at: position)
            let next = position + 1 < count ? index.start(at: position + 1) : nil
            if let next, next < span.limit {
                hasOverlaps = true
                return
            }
            let isClipped = span.isPart || span.start < chunk.floor || span.limit > chunk.ceiling
            run(span, index, sections, chunk, isClipped: isClipped)
            // What instructions didn't prove between functions may be code.
            let isProved =
                isInferred.isEmpty
                || !isInferred[span.cie] && (next == nil || !isInferred[index.span(at: position + 1).cie])
            closeGap(from: span.limit, to: next, chunk, keepsGaps: keepsGaps || !isProved)
        }
        sink.drafts.finish(last: chunk.lastPage)
        partial.removeAll(keepingCapacity: true)
    }

    /// Must be called before each `build`.
    ///
    /// - Parameters:
    ///   - index: the FDEs, and their CIEs.
    ///   - sources: what each of its sections is.
    mutating func reset(_ index: borrowing FrameIndex, _ sources: [RuleSource]) {
        sink.reset()
        absorbedBytes = 0
        hasOverlaps = false
        badFrames.removeAll(keepingCapacity: true)
        contexts.reset(count: index.cies.count, sources)
        isInferred = sources.contains(.inferred) ? index.cies.map { sources[$0.section] == .inferred } : []
    }

    // MARK: One FDE

    @inline(__always)
    private mutating func run(
        _ span: FrameSpan, _ index: borrowing FrameIndex, _ sections: [FrameSection], _ chunk: Chunk, isClipped: Bool
    ) {
        if isClipped { return runPart(span, index, sections, chunk) }
        interpret(span, index, sections)
    }

    @inline(never)
    private mutating func runPart(
        _ span: FrameSpan, _ index: borrowing FrameIndex, _ sections: [FrameSection], _ chunk: Chunk
    ) {
        let key = UInt64(index.cies[span.cie].section) << 32 | UInt64(span.offset)
        if partial[key] == nil {
            sink.isCollecting = true
            sink.collected.removeAll()
            let rowCount = sink.rowCount
            interpret(span, index, sections)
            sink.isCollecting = false
            partial[key] = Array(sink.collected.elements)
            // An FDE's rows are counted only with its first part, in the chunk where it starts.
            if span.isContinuation || span.start < chunk.floor { sink.rowCount = rowCount }
        }
        replay(partial[key] ?? [], from: max(span.start, chunk.floor), to: min(span.limit, chunk.ceiling))
        if !span.isPart { partial[key] = nil }
    }

    private mutating func replay(_ rows: [LoweredRow], from start: UInt64, to limit: UInt64) {
        guard start < limit else { return }
        // The last row at or before `start` holds there.
        let first = rows.partitioningIndex { $0.address > start }
        if first > 0 { sink.drafts.append(start, rule: rows[first - 1].rule) }
        for row in rows[first...] {
            if row.address >= limit { break }
            sink.drafts.append(row.address, rule: row.rule)
        }
    }

    private mutating func interpret(
        _ span: FrameSpan, _ index: borrowing FrameIndex, _ sections: [FrameSection]
    ) {
        let context = contexts.context(of: span.cie, index, sections)
        if A.pcShift != 0 { sink.isMisaligned = false }
        do throws(CFIError) {
            let outcome = try context.pointee.run(span, index, &sink)
            if case .poisoned(let error, let location, let offset) = outcome {
                note(error, span, index, blamed: offset)
                sink.append(location, rule: sink.number(of: error.reason))
            } else if A.pcShift != 0, sink.isMisaligned {
                note(.misalignedAddress, span, index, blamed: Int(span.offset))
            }
        } catch {
            // The index could read this entry, so this happens only if the file was modified since.
            sink.append(span.start, rule: sink.number(of: CFIC_REASON_BAD_FDE))
        }
    }

    /// Whether all of an FDE's rows from an address on are ends of the stack.
    mutating func isOutermost(
        _ span: FrameSpan, from address: UInt64, _ index: borrowing FrameIndex, _ sections: [FrameSection]
    ) -> Bool {
        sink.isCollecting = true
        sink.collected.removeAll()
        interpret(span, index, sections)
        sink.isCollecting = false
        let rows = sink.collected.elements
        let first = rows.lastIndex { $0.address <= address } ?? rows.startIndex
        return !rows.isEmpty && rows[first...].allSatisfy { sink.ruleSet.rules[Int($0.rule)].isEndOfStack }
    }

    private mutating func note(_ error: CFIError, _ span: FrameSpan, _ index: borrowing FrameIndex, blamed: Int) {
        badFrames.append(
            BadFrame(
                section: index.cies[span.cie].section, offset: Int(span.offset), start: span.start, blamed: blamed,
                error: error))
    }

    // MARK: Between FDEs

    /// After an FDE appends a row without information, unless only padding separates it from the next FDE.
    @inline(__always)
    private mutating func closeGap(from limit: UInt64, to next: UInt64?, _ chunk: Chunk, keepsGaps: Bool) {
        if next == limit { return }
        let isHere = limit >= chunk.floor && limit < chunk.ceiling
        if let next, !keepsGaps, isPadding(limit, next), !isUnknown(sink.drafts.currentRule) {
            if isHere { absorbedBytes += next - limit }
            return
        }
        let gap = limit.roundedUp(toMultipleOf: 1 << UInt64(A.pcShift))
        // A gap within one unit gets no row: the FDE that starts in the unit gets it.
        if isHere, next.map({ gap <= $0 }) ?? true { sink.drafts.append(gap, rule: 0) }
    }

    /// Compilers align functions to 16 bytes. A gap that ends elsewhere, or is longer, may be code that has no CFI on
    /// purpose, like the gap in glibc's `clone`.
    @inline(__always)
    private func isPadding(_ limit: UInt64, _ next: UInt64) -> Bool { next &- limit < 16 && next & 15 == 0 }

    private func isUnknown(_ number: UInt16) -> Bool { sink.ruleSet.rules[Int(number)].reason != nil }
}

extension UInt64 {
    @inline(__always)
    func roundedUp(toMultipleOf unit: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(unit - 1)
        return overflow ? self : sum & ~(unit - 1)
    }
}
