import Search
import UnwindTable

extension LoweredFrames {
    /// Addresses that one frame is responsible for.
    public struct Piece: Sendable {
        public var range: Range<UInt64>
        /// Index into `frames`.
        public var frame: Int
        /// Index of the range that contains it.
        public var section: Int
    }

    /// The frame that is responsible for each address, as disjoint pieces in ascending order. If frames overlap, the
    /// first one wins, as in a table.
    ///
    /// - Parameter ranges: sorted and disjoint, one per section of code. A frame is cut at the end of the range in
    ///   which it starts; a frame that starts in no range has no piece.
    public func pieces(within ranges: [Range<UInt64>]) -> [Piece] {
        let clipped = frames.indices.compactMap { number -> Piece? in
            let frame = frames[number]
            guard let section = ranges.index(containing: frame.start), frame.start < frame.limit else { return nil }
            let range = frame.start..<min(frame.limit, ranges[section].upperBound)
            return Piece(range: range, frame: number, section: section)
        }
        var edges = clipped.flatMap { [$0.range.lowerBound, $0.range.upperBound] }
        edges.sort()
        edges = edges.reduce(into: []) { if $0.last != $1 { $0.append($1) } }

        // Stretch n is from edge n to edge n+1. `next` is a union-find forest with path halving: following it from n
        // leads to the first free stretch at or after n, so that taken stretches are skipped in few steps.
        var owners = [Piece?](repeating: nil, count: edges.count)
        var next = Array(0...edges.count)
        func free(_ stretch: Int) -> Int {
            var stretch = stretch
            while next[stretch] != stretch {
                next[stretch] = next[next[stretch]]
                stretch = next[stretch]
            }
            return stretch
        }
        for piece in clipped {
            let end = edges.partitioningIndex { $0 >= piece.range.upperBound }
            var stretch = free(edges.partitioningIndex { $0 >= piece.range.lowerBound })
            while stretch < end {
                owners[stretch] = piece
                next[stretch] = stretch + 1
                stretch = free(stretch)
            }
        }
        return edges.indices.reduce(into: []) { pieces, stretch in
            guard var piece = owners[stretch] else { return }
            piece.range = edges[stretch]..<edges[stretch + 1]
            if let last = pieces.last, last.frame == piece.frame, last.range.upperBound == piece.range.lowerBound {
                pieces[pieces.count - 1].range = last.range.lowerBound..<piece.range.upperBound
            } else {
                pieces.append(piece)
            }
        }
    }

    /// Calls `body` with each rule of a piece and the addresses where it holds, in ascending order.
    public func forEachRow(of piece: Piece, _ body: (Range<UInt64>, Rule) -> Void) {
        let rows = frames[piece.frame].rows
        // Start with the last row at or before the piece's start.
        var number = rows.lastIndex(atMost: piece.range.lowerBound, by: { $0.address }) ?? 0
        while number < rows.count {
            let next = number + 1 < rows.count ? rows[number + 1].address : .max
            let start = max(rows[number].address, piece.range.lowerBound)
            let end = min(next, piece.range.upperBound)
            guard start < end else { break }
            body(start..<end, rules[rows[number].rule])
            number += 1
        }
    }
}

extension [Range<UInt64>] {
    /// Index of the range that contains `value`. The ranges must be sorted and disjoint.
    fileprivate func index(containing value: UInt64) -> Int? {
        let index = partitioningIndex { $0.upperBound > value }
        return index < count && self[index].contains(value) ? index : nil
    }
}
