import Search
import UnwindTable

extension LoweredFrames {
    /// Addresses that one frame answers for.
    public struct Piece: Sendable {
        public var range: Range<UInt64>
        /// Index into `frames`.
        public var frame: Int
        /// Index of the range that it is in.
        public var section: Int
    }

    /// Which frame answers for which addresses: of several the first, as in a table; by rising address and disjoint.
    ///
    /// - Parameter ranges: sorted and disjoint, one for each section of code. A frame ends where the range ends in
    ///   which it begins; one that begins in none has no piece.
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

        // Stretch n reaches from edge n to edge n+1. `next[n]` leads to the first one from n on that is still free, so
        // that each is taken once and passed over in few steps.
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

    /// Calls `body` with the rules that hold in a piece, and where: by rising address.
    public func forEachRow(of piece: Piece, _ body: (Range<UInt64>, Rule) -> Void) {
        let rows = frames[piece.frame].rows
        // The first one is the last that begins there or before.
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
    /// Of the range that contains `value`; sorted and disjoint.
    fileprivate func index(containing value: UInt64) -> Int? {
        let index = partitioningIndex { $0.upperBound > value }
        return index < count && self[index].contains(value) ? index : nil
    }
}
