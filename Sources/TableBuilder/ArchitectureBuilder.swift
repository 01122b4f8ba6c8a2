import CUnwindTable
import CallFrameInfo
import Threads
import UnwindTable

/// Compiles call frame sections of one architecture into a table. Keeps its memory from one image to the next.
struct ArchitectureBuilder<A: Architecture>: ~Copyable {
    var output = GrowableBuffer<UInt8>()
    private(set) var counts = TableCounts()
    private(set) var badFrames: [BadFrame] = []
    private(set) var malformed: [FrameIndex.MalformedEntry] = []

    var index = FrameIndex()
    /// What each section is.
    var sources: [RuleSource] = []
    var layout = PageLayout<A>()
    var chunks: [ChunkHandle<A>] = []

    init() {}

    mutating func build(
        _ sections: [FrameSection], _ sources: [RuleSource], entry: EntryPoint? = nil, executable: [Range<UInt64>],
        executableBytes: UInt64, source: TableSource, options: TableOptions = TableOptions(), threads: Int = 1
    ) throws(TableError) {
        counts = TableCounts()
        self.sources = sources
        // Overlaps are rare and are noticed while chunks are built. But they must be resolved first if the FDE that
        // covers the entry point is needed.
        try readIndex(sections, executable, settles: entry != nil)
        guard let entry, let stated = statedFrame(of: entry, sections, executable: executable) else {
            return try buildIndexed(
                sections, executable: executable, executableBytes: executableBytes, source: source, options: options,
                threads: threads)
        }
        let all = [stated.section] + sections
        try withExtendedLifetime(stated) { () throws(TableError) in
            self.sources = [.inferred] + sources
            try readIndex(all, executable, settles: false)
            try buildIndexed(
                all, executable: executable, executableBytes: executableBytes, source: source, options: options,
                threads: threads)
        }
        // Report the section numbers that the caller knows, which don't include the synthetic section.
        badFrames.removeAll { $0.section == 0 }
        malformed.removeAll { $0.section == 0 }
        for position in badFrames.indices { badFrames[position].section -= 1 }
        for position in malformed.indices { malformed[position].section -= 1 }
    }

    private mutating func readIndex(
        _ sections: [FrameSection], _ executable: [Range<UInt64>], settles: Bool
    ) throws(TableError) {
        do throws(CFIError) {
            try index.read(sections, clippedTo: executable, settles: settles)
        } catch {
            throw .section(error)
        }
    }

    private mutating func buildIndexed(
        _ sections: [FrameSection], executable: [Range<UInt64>], executableBytes: UInt64, source: TableSource,
        options: TableOptions, threads: Int
    ) throws(TableError) {
        malformed = index.malformed
        guard index.count != 0 else { throw .noFrames }
        layout = try PageLayout<A>(executable: executable)
        var mayBeFull = makeChunks(sections, options, count: threads)
        if chunks.contains(where: { $0.chunk.hasOverlaps }) {
            index.settle()
            mayBeFull = makeChunks(sections, options, count: threads)
        }
        // Which rules a full table leaves out would depend on the cuts, so build it as one chunk.
        if mayBeFull, chunks.count > 1 { _ = makeChunks(sections, options, count: 1) }
        let numbering = RuleNumbering(chunks)
        gatherCounts(executableBytes, numbering)
        try write(numbering, makeItems(numbering), source: source, options: options)
    }

    // MARK: Rows and pages

    /// Interprets and lowers all spans. Returns whether rules may have been left out because a table has no
    /// numbers, or no program memory, for more.
    private mutating func makeChunks(_ sections: [FrameSection], _ options: TableOptions, count: Int) -> Bool {
        let plan = ChunkPlan<A>(index, count: count)
        while chunks.count > plan.chunks.count { chunks.removeLast() }
        while chunks.count < plan.chunks.count { chunks.append(ChunkHandle<A>()) }
        let handles = chunks
        for handle in handles { handle.chunk.reset(index, sources) }
        withUnsafePointer(to: index) { index in
            // Threads only read these.
            nonisolated(unsafe) let index = index
            nonisolated(unsafe) let sections = sections
            parallel(handles.count) { number in
                handles[number].chunk.build(
                    plan.chunks[number], index: index.pointee, sections: sections, keepsGaps: options.keepsGaps)
            }
        }
        let rules = handles.reduce(0) { $0 + $1.chunk.sink.ruleSet.rules.count }
        let operations = handles.reduce(0) { $0 + $1.chunk.sink.ruleSet.programs.operations.count }
        return rules >= CFIC_RULES_MAX - 1
            || operations > Int(CFIC_EXPRESSIONS_MAX) - Int(CFIC_PROGRAM_MAX) - 1
    }

    /// Finds the table's templates, and replaces all rows by items.
    private func makeItems(_ numbering: RuleNumbering) -> SymbolNumbering {
        let ruleCount = numbering.rules.count
        let templates = RowSample(chunks, numbering.final).templates(ruleCount: ruleCount)
        let trie = TemplateTrie(templates, ruleCount: ruleCount)
        let handles = chunks
        withUnsafePointer(to: trie) { trie in
            // Threads only read it.
            nonisolated(unsafe) let trie = trie
            parallel(handles.count) { number in
                handles[number].makeItems(
                    trie.pointee, final: numbering.final[number], symbolCount: ruleCount + templates.count)
            }
        }
        var uses = [UInt64](repeating: 0, count: ruleCount + templates.count)
        for handle in handles {
            for symbol in uses.indices { uses[symbol] += UInt64(handle.symbolUses.elements[symbol]) }
        }
        return SymbolNumbering(templates, ruleCount: ruleCount, uses: uses)
    }

    /// Encodes all pages. Their records follow what `output` has.
    ///
    /// - Returns: the size of each chunk's records in bytes.
    mutating func encodePages(_ numbering: RuleNumbering, _ symbols: borrowing SymbolNumbering) -> [Int] {
        let handles = chunks
        for handle in handles { handle.encoder.begin() }
        // The first chunk's records, in most images all records, are written directly into `output`.
        handles[0].encoder.exchangeRecords(with: &output)
        withUnsafePointer(to: symbols) { symbols in
            // Threads only read them.
            nonisolated(unsafe) let symbols = symbols
            parallel(handles.count) { number in
                handles[number].encodePages(symbols.pointee, final: numbering.final[number])
            }
        }
        let recordBytes = handles.map { $0.encoder.recordBytes }
        handles[0].encoder.exchangeRecords(with: &output)
        for handle in handles.dropFirst() { output.append(contentsOf: handle.encoder.records.elements) }
        return recordBytes
    }

    private func parallel(_ count: Int, _ body: @Sendable (Int) -> Void) {
        Threads.perform(count, body)
    }

    // MARK: Statistics

    private mutating func gatherCounts(_ executableBytes: UInt64, _ numbering: RuleNumbering) {
        counts.executableBytes = executableBytes
        counts.fdes = UInt32(clamping: index.fdeCount)
        counts.overlappingFDEs = UInt32(clamping: index.overlappingCount)
        counts.droppedFDEs = UInt32(clamping: index.droppedCount)
        let covered = index.coveredBytes
        counts.coveredBytes = covered
        // Two chunks that share an FDE both report it.
        badFrames = chunks.flatMap { $0.chunk.badFrames }.sorted { ($0.section, $0.offset) < ($1.section, $1.offset) }
        var last: (Int, Int)?
        badFrames.removeAll { frame in
            defer { last = (frame.section, frame.offset) }
            return last.map { $0 == (frame.section, frame.offset) } ?? false
        }
        counts.badFDEs = UInt32(clamping: badFrames.count + index.malformedCount)
        var unknown: UInt64 = 0
        var inForce: UInt16 = 0
        for (number, handle) in chunks.enumerated() {
            counts.rawRows += UInt64(handle.chunk.rawRowCount)
            counts.absorbedBytes += handle.chunk.absorbedBytes
            counts.rows += handle.mergedRows(inForce: &inForce, numbering.final[number])
            unknown += handle.unknownBytes
        }
        counts.loweredBytes = covered - min(unknown, covered)
    }
}
