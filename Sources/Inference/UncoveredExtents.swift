import Search

/// Extents of functions, and of parts of functions, in code that no call frame information covers: each goes to where the
/// next one begins, or to the end of the gap.
struct UncoveredExtents {
    /// All extents, covered ones included.
    let code: ProgramCode
    /// By extent: why a function begins there; nil for parts of functions, and for covered code.
    let evidence: [StartEvidence?]
    /// Numbers of extents in which another instruction was taken for a function's start, on equal evidence.
    let disputed: Set<Int>

    init(_ search: borrowing StartSearch, searchesReferences: Bool) {
        var starts = search.starts.keys.sorted()
        let isStart = Set(starts)
        let shared = search.sharedStarts.filter { !isStart.contains($0) }
        let parts = Set(search.partStarts(starts)).union(shared)
        starts = (starts + parts).sorted()
        var extents: [Range<UInt64>] = []
        var next = 0
        for gap in search.bytes.gaps {
            while next < starts.count, starts[next] < gap.range.upperBound {
                let start = starts[next]
                next += 1
                let end = next < starts.count ? min(starts[next], gap.range.upperBound) : gap.range.upperBound
                // What is too large is likely followed by data.
                extents.append(start..<start + min(end - start, UInt64(FunctionAnalysis.sizeLimit)))
            }
        }
        let all = search.code.extents + extents
        var code = ProgramCode(pieces: search.code.pieces, extents: all, nonReturning: search.code.nonReturning)
        let isUncovered = code.extents.map { search.bytes.gap(at: $0.lowerBound) != nil }
        evidence = zip(code.extents, isUncovered).map { $1 ? search.starts[$0.lowerBound] : nil }
        code.setUncovered(
            isUncovered, parts: isUncovered.indices.filter { [evidence] in isUncovered[$0] && evidence[$0] == nil },
            shared: Set(shared.compactMap { [code] in code.extent(at: $0) }))
        if search.hasTables {
            // Of two tables in a row, the second one may belong to covered code.
            let known = search.references.filter { !search.isExecutable($0) }.sorted()
            let others = searchesReferences ? search.coveredReferences(near: known) : []
            code.setReferences(search.references.union(others))
        }
        disputed = Set(search.disputed.compactMap { code.extent(at: $0) })
        self.code = code
    }
}
