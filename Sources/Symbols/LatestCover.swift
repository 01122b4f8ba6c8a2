/// Which of many overlapping ranges was added last, for each of a fixed number of positions. Adding takes logarithmic time,
/// however many positions a range has, and memory depends on their number alone: ranges come from files that may have any
/// number of them.
struct LatestCover {
    /// The nodes of a binary tree, the root at 1, the positions from `count` on. Each has the last stamp of the ranges that
    /// cover all below it, but not all below its parent.
    private var stamps: [UInt64]
    private let count: Int

    init(count: Int) {
        self.count = count
        stamps = Array(repeating: 0, count: 2 * count)
    }

    /// Adds a range of positions.
    ///
    /// - Parameter stamp: not 0, and larger than all before.
    mutating func cover(_ range: Range<Int>, stamp: UInt64) {
        var (first, last) = (range.lowerBound + count, range.upperBound + count)
        while first < last {
            if first & 1 == 1 {
                stamps[first] = stamp
                first += 1
            }
            if last & 1 == 1 {
                last -= 1
                stamps[last] = stamp
            }
            (first, last) = (first / 2, last / 2)
        }
    }

    /// The stamp of the last range that covers a position; nil if none does.
    func latest(at position: Int) -> UInt64? {
        var (node, latest) = (position + count, UInt64(0))
        while node > 0 {
            latest = max(latest, stamps[node])
            node /= 2
        }
        return latest == 0 ? nil : latest
    }
}
