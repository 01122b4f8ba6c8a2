import Search

/// The rows of a function that no call frame information covers, or of a part of one.
public struct InferredFunction: Equatable, Sendable {
    /// SVMAs.
    public var range: Range<UInt64>
    /// In ascending address order; neighbours have different rules. The last one has no rule, and is at the range's end.
    public var rows: [InferredRow]
}

/// Code that no call frame information covers: where its functions begin, and their rules. For x86-64.
///
/// What isn't certain gets no rule. All is found out by `init`; what remains are the rows: about 64 bytes for each.
public struct UncoveredCode: Sendable {
    /// A function that got no rules.
    public struct Failure: Equatable, Sendable {
        /// SVMA at which it begins.
        public var function: UInt64
        /// SVMA of the instruction that is the cause; the function's start if no single one is.
        public var address: UInt64
        /// As in `givenUp`.
        public var reason: String
        /// Why a function was taken to begin there; empty if others jump there.
        public var evidence: String
    }

    /// Rows that are kept, of all functions: further functions get none.
    static var rowLimit: Int { 4 << 20 }

    /// In ascending address order, disjoint.
    public internal(set) var functions: [InferredFunction] = []
    /// Bytes of the gaps.
    public internal(set) var gapBytes = 0
    /// Of these, no-ops, traps and zeros between functions.
    public internal(set) var paddingBytes = 0
    public internal(set) var ruleBytes = 0
    /// Bytes without a rule, padding aside, by reason: the raw value of an `InferenceFailure`, or one of the names below.
    public internal(set) var givenUp: [String: Int] = [:]
    /// Functions that got no rules, in ascending address order.
    public internal(set) var failures: [Failure] = []
    /// How many places were taken for starts of functions, by why.
    public internal(set) var startCounts: [String: Int] = [:]

    /// No function is known to begin in front of them.
    public static var noStart: String { "noStart" }
    /// No path reaches them.
    public static var unreached: String { "unreached" }
    /// Paths of several functions lead there, and their rules differ, or aren't known.
    public static var conflict: String { "conflict" }
    /// It isn't certain that a function begins there, and no path of it ends in a return or a tail call.
    public static var unconfirmed: String { "unconfirmed" }

    /// Finds functions and their rules. `openDecoder` must have returned before.
    ///
    /// - Parameters:
    ///   - code: loaded bytes that are executed, in any order.
    ///   - data: other loaded bytes.
    ///   - covered: SVMAs of FDEs, ascending, disjoint.
    ///   - gaps: SVMAs of bytes of `code` that no FDE covers, ascending, disjoint; without procedure linkage tables.
    ///   - starts: SVMAs at which functions are known to begin, in any order: symbols, the entry point, what the dynamic
    ///     linker calls.
    ///   - pointers: SVMAs that relocations write to data (R_X86_64_RELATIVE, DT_RELR), in any order: the file may have zeros
    ///     there. Those outside of the gaps may be left out.
    ///   - isRelocated: whether there are such relocations. Then words in the file's data aren't addresses, unless the program
    ///     is linked for a fixed one.
    ///   - nonReturning: SVMAs of functions that don't return, stubs of the procedure linkage table included.
    ///   - searchesReferences: whether functions may also begin where covered code or data refers to, and at aligned addresses
    ///     behind other functions. False for code whose functions are all known, or called by those: then nothing but the
    ///     gaps is read.
    public init(
        code: [ProgramCode.Piece], data: [ProgramCode.Piece], covered: [Range<UInt64>], gaps: [Range<UInt64>],
        starts: [UInt64], pointers: [UInt64] = [], isRelocated: Bool = false, nonReturning: Set<UInt64> = [],
        searchesReferences: Bool
    ) {
        let executable = code.filter { !$0.bytes.isEmpty }.sorted { $0.address < $1.address }
        var filled: [Range<UInt64>] = []
        // Nearly all gaps are padding between functions.
        let all = GapBytes(gaps, in: executable)
        for gap in all.gaps {
            let padding = ProgramCode.leadingPadding(gap.bytes)
            gapBytes += gap.range.count
            paddingBytes += padding
            if padding < gap.range.count {
                filled.append(gap.range.lowerBound + UInt64(padding)..<gap.range.upperBound)
            }
        }
        guard !filled.isEmpty else { return }
        var program = ProgramCode(pieces: executable + data, extents: covered, nonReturning: nonReturning)
        if searchesReferences {
            program = ProgramCode(
                pieces: program.pieces, extents: covered,
                nonReturning: nonReturning.union(StartSearch.callsAtEnds(program)))
        }
        var search = StartSearch(GapBytes(filled, in: executable), program, executable: executable)
        for start in starts { search.add(start, .known) }
        if searchesReferences { search.scanCovered() }
        search.run(
            usesAlignment: searchesReferences,
            tables: { search, jumps in
                UncoveredAnalysis.followTables(jumps, &search, searchesReferences: searchesReferences)
            }
        ) { search in
            guard searchesReferences else { return }
            for pointer in pointers { search.add(pointer, .pointer) }
            // Numbers in data are addresses only if nothing relocates them.
            if search.isFixed || !isRelocated { search.scan(data) }
        }
        for evidence in search.starts.values { startCounts[evidence.name, default: 0] += 1 }
        let extents = UncoveredExtents(search, searchesReferences: searchesReferences)
        var analysis = UncoveredAnalysis(extents)
        analysis.run()
        failures = analysis.failures.sorted { $0.key < $1.key }.map { function, failure in
            let evidence = extents.evidence[function]?.name ?? ""
            return Failure(
                function: extents.code.extents[function].lowerBound, address: failure.address, reason: failure.reason,
                evidence: evidence)
        }
        take(analysis, search)
    }

    /// Calls `body` for each function that has rules, or part of one, in ascending address order; their ranges are disjoint.
    public func forEachFunction(_ body: (InferredFunction) -> Void) { functions.forEach(body) }
}
