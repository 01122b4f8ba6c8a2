/// Analyses the functions of code that no call frame information covers, and finds out where they contradict each other.
struct UncoveredAnalysis {
    /// Rows of a function in one extent.
    struct Piece {
        var function: Int
        /// In ascending address order; the last one has no rule.
        var rows: [InferredRow]
    }

    /// How often callers of functions that change rbp are analysed anew.
    private static var roundLimit: Int { 16 }
    /// Parts of functions that may be walked more than once, for each byte of extents; and at least, in bytes.
    private static var partLimit: (perByte: Int, least: Int) { (32, 16 << 20) }

    let extents: UncoveredExtents
    private let analysis: FunctionAnalysis
    /// By extent, of all functions that reach it.
    private(set) var pieces: [Int: [Piece]] = [:]
    /// By extent with an entry: why it gets no rules.
    private(set) var failures: [Int: (reason: String, address: UInt64)] = [:]
    /// Extents in which other functions continue that have no rules themselves.
    private(set) var tainted: Set<Int> = []
    /// By extent: which functions call it, or end with it.
    private var callers: [Int: Set<Int>] = [:]
    /// By function with rules: the extents that it reaches.
    private var reached: [Int: [Int]] = [:]
    private var rowCount = 0
    /// Functions that begin with a part, to which others jump with the stack as at their entry.
    private var tailCalled: [Int] = []
    private var isKnown: Set<Int> = []
    private var changesFramePointer: Set<Int> = []

    init(_ extents: UncoveredExtents) {
        self.extents = extents
        analysis = FunctionAnalysis(extents.code)
        analysis.partBudget = Self.partBudget(extents)
    }

    private static func partBudget(_ extents: UncoveredExtents) -> Int {
        let size = extents.code.extents.indices.reduce(0) {
            $0 + (extents.code.isUncovered($1) ? extents.code.extents[$1].count : 0)
        }
        return max(partLimit.least, size * partLimit.perByte)
    }

    /// Analyses the functions that have jumps whose targets aren't known, and follows what their jump tables lead to.
    ///
    /// - Parameter jumps: SVMAs, ascending.
    static func followTables(_ jumps: [UInt64], _ search: inout StartSearch, searchesReferences: Bool) {
        let extents = UncoveredExtents(search, searchesReferences: searchesReferences)
        let analysis = FunctionAnalysis(extents.code)
        analysis.partBudget = partBudget(extents)
        var last: Int?
        for jump in jumps {
            guard var function = extents.code.extent(at: jump) else { continue }
            // A part is most likely one of the function in front of it.
            while function > 0, extents.evidence[function] == nil, extents.code.isUncovered(function - 1) {
                function -= 1
            }
            guard function != last, let evidence = extents.evidence[function] else { continue }
            last = function
            _ = analysis.run(function) { _ in }
            for address in analysis.reachedBlocks { search.reach(address, from: evidence) }
        }
    }

    mutating func run() {
        let functions = extents.evidence.indices.filter { extents.evidence[$0] != nil }
        for function in functions { analyse(function) }
        analyseTailCalled()
        var changed = changesFramePointer
        var rounds = 0
        while !changed.isEmpty {
            for function in changed { analysis.framePointerChanging.insert(extents.code.extents[function].lowerBound) }
            let again = Set(changed.flatMap { callers[$0] ?? [] }).sorted()
            let known = changesFramePointer
            rounds += 1
            for function in again {
                if rounds < Self.roundLimit { analyse(function) } else { drop(function) }
            }
            analyseTailCalled()
            changed = changesFramePointer.subtracting(known)
        }
    }

    private mutating func analyseTailCalled() {
        while let function = tailCalled.popLast() { analyse(function) }
    }

    private mutating func drop(_ function: Int) {
        if failures[function] == nil {
            remove(function)
            fail(
                function, (UncoveredCode.conflict, extents.code.extents[function].lowerBound), [function], taints: true)
        }
        changesFramePointer.insert(function)
    }

    private mutating func analyse(_ function: Int) {
        var visits: [(extent: Int, start: UInt64, end: UInt64, rule: InferredRule)] = []
        analysis.followsParts = !(extents.evidence[function]?.isCertain ?? true)
        let result = analysis.run(function) { visit in
            visits.append((visit.extent, visit.address, visit.address + UInt64(visit.length), visit.rule))
        }
        remove(function)
        isKnown.insert(function)
        let evidence = extents.evidence[function]
        for callee in result.links.calls.union(result.tailCalls) where extents.code.isUncovered(callee) {
            callers[callee, default: []].insert(function)
        }
        if result.links.changesFramePointer || !changesFramePointer.isDisjoint(with: result.tailCalls) {
            changesFramePointer.insert(function)
        }
        // A part is analysed as a function because others jump to it.
        let isCertain = evidence?.isCertain ?? true
        if let failure = result.failure {
            fail(
                function, (failure.rawValue, result.failureAddress), result.extents + result.links.continuesIn,
                taints: isCertain || result.links.changesFramePointer)
        } else if !isCertain, !isConfirmed(result.links, evidence) {
            fail(function, (UncoveredCode.unconfirmed, result.failureAddress), [], taints: false)
        } else if rowCount > UncoveredCode.rowLimit {
            fail(function, (InferenceFailure.tooLarge.rawValue, result.failureAddress), [], taints: false)
        } else {
            tainted.formUnion(result.links.middles)
            for extent in result.tailCalls where !extents.code.isEntry[extent] && isKnown.insert(extent).inserted {
                tailCalled.append(extent)
            }
            keep(function, &visits)
        }
    }

    /// Whether a place that isn't certain to be a function's start behaves as one.
    private func isConfirmed(_ links: FunctionAnalysis.Links, _ evidence: StartEvidence?) -> Bool {
        guard links.exits > 0, links.middles.isEmpty else { return false }
        switch evidence {
        case .pointer: return !links.usesCallersRegisters
        // Parts of functions jump to each other's starts.
        case .alignment: return !links.usesCallersRegisters && links.returns > 0
        default: return true
        }
    }

    private mutating func fail(
        _ function: Int, _ failure: (reason: String, address: UInt64), _ reached: [Int], taints: Bool
    ) {
        failures[function] = failure
        guard taints else { return }
        tainted.formUnion(reached.filter { extents.code.isUncovered($0) })
    }

    /// Forgets what an earlier analysis of the function found.
    private mutating func remove(_ function: Int) {
        failures[function] = nil
        for extent in reached.removeValue(forKey: function) ?? [] {
            pieces[extent]?.removeAll { $0.function == function }
        }
    }

    private mutating func keep(
        _ function: Int, _ visits: inout [(extent: Int, start: UInt64, end: UInt64, rule: InferredRule)]
    ) {
        visits.sort { $0.start < $1.start }
        var index = 0
        while index < visits.count {
            let extent = visits[index].extent
            let first = index
            while index < visits.count, visits[index].extent == extent { index += 1 }
            guard extents.code.isUncovered(extent) else { continue }
            let rows = InferredRow.rows(visits[first..<index].map { ($0.start, $0.end, $0.rule) })
            rowCount += rows.count
            pieces[extent, default: []].append(Piece(function: function, rows: rows))
            reached[function, default: []].append(extent)
        }
    }
}
