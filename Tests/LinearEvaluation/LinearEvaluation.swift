import CallFrameInfo
import Search
import TableBuilder
import UnwindTable

/// The rules at all addresses of an image, evaluated in the plainest way: only interpreter and lowering are the
/// compiler's; overlaps, clipping, padding and merging are implemented here independently.
public struct LinearEvaluation {
    public struct Row {
        /// SVMA from which the rule holds, until the next row.
        public var start: UInt64
        /// Index into `texts`.
        public var rule: Int
    }

    /// In ascending address order, from address 0; neighbours have different rules. Addresses are multiples of the pc
    /// unit.
    public private(set) var rows: [Row] = []
    /// Each rule as text; number 0 is "no information".
    public private(set) var texts: [String] = []
    public private(set) var coveredBytes: UInt64 = 0
    public private(set) var absorbedBytes: UInt64 = 0
    public private(set) var loweredBytes: UInt64 = 0

    private struct Piece {
        var start: UInt64
        var limit: UInt64
        var frame: Int
    }

    /// - Parameters:
    ///   - sections: in order of precedence.
    ///   - sources: what the sections are, with as many elements; empty if none is inferred.
    ///   - executable: SVMA ranges of the file-backed bytes of executable segments, sorted and disjoint.
    public init(
        _ sections: [FrameSection], sources: [RuleSource] = [], executable: [Range<UInt64>], machine: TableMachine
    ) {
        let lowered = LoweredFrames(sections, sources: sources, machine: machine)
        texts = lowered.operations.withUnsafeBufferPointer { operations in
            let text = RuleText(machine: machine, operations: operations)
            return lowered.rules.map(text.text(of:))
        }
        let isReason = lowered.rules.map { $0.reason != nil }
        // An FDE at address 0 belongs to a function that the linker discarded.
        let frames = lowered.frames.filter { $0.start != 0 }
        let pieces = Self.firstInFileOrderWins(frames, executable)
        let isStated = frames.map { sources.isEmpty || sources[$0.section] != .inferred }
        build(pieces, frames, isReason, isStated, unit: 1 << UInt64(machine.pcShift))
    }

    /// The frame that is responsible for each stretch of addresses: the first one in file order.
    private static func firstInFileOrderWins(
        _ frames: [LoweredFrames.Frame], _ executable: [Range<UInt64>]
    ) -> [Piece] {
        var edges: [UInt64] = []
        for frame in frames { edges += [frame.start, frame.limit] }
        for range in executable { edges += [range.lowerBound, range.upperBound] }
        edges.sort()
        edges = edges.reduce(into: []) { if $0.last != $1 { $0.append($1) } }
        guard edges.count > 1 else { return [] }
        func place(_ address: UInt64) -> Int { edges.partitioningIndex { $0 >= address } }
        // Stretch n is from edge n to edge n+1. `next` leads to the first stretch at or after n without an owner.
        var owners = [Int?](repeating: nil, count: edges.count)
        var next = Array(0...edges.count)
        func free(_ stretch: Int) -> Int {
            var stretch = stretch
            while next[stretch] != stretch {
                next[stretch] = next[next[stretch]]
                stretch = next[stretch]
            }
            return stretch
        }
        for (number, frame) in frames.enumerated() {
            let end = place(frame.limit)
            var stretch = free(place(frame.start))
            while stretch < end {
                owners[stretch] = number
                next[stretch] = stretch + 1
                stretch = free(stretch)
            }
        }
        var pieces: [Piece] = []
        for range in executable {
            for stretch in place(range.lowerBound)..<place(range.upperBound) {
                guard let frame = owners[stretch] else { continue }
                pieces.append(Piece(start: edges[stretch], limit: edges[stretch + 1], frame: frame))
            }
        }
        return pieces
    }

    private mutating func build(
        _ pieces: [Piece], _ frames: [LoweredFrames.Frame], _ isReason: [Bool], _ isStated: [Bool], unit: UInt64
    ) {
        append(0, 0, unit)
        for (number, piece) in pieces.enumerated() {
            coveredBytes += piece.limit - piece.start
            let rows = frames[piece.frame].rows
            // Start with the last row at or before the start.
            var row = max(0, (rows.firstIndex { $0.address > piece.start } ?? rows.count) - 1)
            while row < rows.count, rows[row].address < piece.limit {
                append(max(rows[row].address, piece.start), rows[row].rule, unit)
                row += 1
            }
            let following = number + 1 < pieces.count ? pieces[number + 1].start : nil
            if following == piece.limit { continue }
            if let following, following - piece.limit < 16, following % 16 == 0, isStated[piece.frame],
                isStated[pieces[number + 1].frame], !isReason[self.rows[self.rows.count - 1].rule]
            {
                absorbedBytes += following - piece.limit
            } else {
                // A gap within one unit gets no row.
                let gap = (piece.limit - 1) / unit * unit &+ unit
                if following.map({ gap <= $0 }) ?? true { append(gap, 0, unit) }
            }
        }
        // In whole units, like a table, even if a misaligned row starts within a unit.
        var unknown: UInt64 = 0
        for (row, next) in zip(self.rows, self.rows.dropFirst()) where row.rule != 0 && isReason[row.rule] {
            unknown += next.start - row.start
        }
        loweredBytes = coveredBytes - min(unknown, coveredBytes)
    }

    /// Appends a row. Of several rows in one unit the last wins.
    private mutating func append(_ address: UInt64, _ rule: Int, _ unit: UInt64) {
        let start = address / unit * unit
        if let last = rows.last, last.start == start { rows.removeLast() }
        if let last = rows.last, last.rule == rule { return }
        rows.append(Row(start: start, rule: rule))
    }
}
