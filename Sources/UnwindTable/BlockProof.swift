import CUnwindTable

/// Proves that the items of a record's blocks increase and don't overlap.
///
/// An item is its unit in the page, modulo 256, and how many units after it its last row is: its *reach*. To be proved:
/// in each block, units are those of the block, each is above the last row of the item before, and the last row of the
/// last item is in the block. Going from block to block would take several times as long as this:
///
/// 1. Blocks begin with item 0, and each begins where the one before it ends, not before that one's beginning; the last
///    one ends with all items. So each item is in exactly one block.
/// 2. Call an item a *drop* if its unit is not above the last row of the item before it. The items of each block increase
///    and don't overlap if and only if every drop is the first item of its block.
/// 3. The drops that are first items are some of all drops. So every drop is a first item if and only if there are as
///    many drops among first items as among all items.
/// 4. If the items of a block increase and don't overlap, the first item has the lowest unit and the last item the
///    highest row, so it suffices to look at these.
///
/// Counting the drops of all items has no branches; the loop over blocks needs only a look at the first and the last item
/// of each.
struct BlockProof {
    /// The number of items, at least 1.
    let count: Int
    let blocks: Int
    /// log2 of a block's units, at most 8.
    let bits: Int
    /// The most items of a block.
    let limit: Int

    /// The defect of the index or of the items; nil if there is none.
    ///
    /// - Parameter end: the index of the item after those of a block, by the block and the index of its first item. It may
    ///   be anything if the index is corrupt.
    @inline(__always)
    func problem(_ items: some BlockItems, end: (_ block: Int, _ first: Int) -> Int) -> String? {
        guard end(0, 0) > 0, items.unit(0) == 0 else { return "record has no item at unit 0" }
        var dropsAtStarts = 0
        var first = 0
        // No item is at or below the last row of an item before item 0.
        var lastBefore = -1
        for block in 0..<blocks {
            let next = end(block, first)
            guard first <= next, next <= count else { return "block index decreases or points outside the items" }
            guard next - first <= limit else { return "block has more than \(limit) items" }
            // `first` is `count` if this block and all later ones are empty; `next` is at least 1, because block 0 has
            // an item. An empty block doesn't count; `&` avoids branches that would be mispredicted.
            let isUsed = first < next ? 1 : 0
            let (lowest, highest) = (items.unit(min(first, count &- 1)), items.last(next &- 1))
            let low = block << bits & 0xff
            let isOutside = lowest < low || highest >= low + 1 << bits ? 1 : 0
            guard isUsed & isOutside == 0 else { return "item is not in its block, or its template extends beyond" }
            dropsAtStarts &+= isUsed & (lowest <= lastBefore ? 1 : 0)
            lastBefore = highest
            first = next
        }
        guard first == count else { return "block index does not hold all items" }
        return items.drops == dropsAtStarts ? nil : "items of a block do not increase, or overlap"
    }

    /// The items of a dense record.
    struct Items: BlockItems {
        /// Units in low bytes, codes in high bytes.
        let units: UnsafeBufferPointer<UInt16>
        /// By code.
        let reaches: UnsafeBufferPointer<UInt8>

        @inline(__always)
        func unit(_ item: Int) -> Int { Int(units[item] & 0xff) }

        @inline(__always)
        func last(_ item: Int) -> Int { unit(item) &+ Int(reaches[Int(units[item] >> 8)]) }

        @inline(__always)
        var drops: Int {
            var count = 0
            var last = -1
            for item in units.indices {
                count &+= unit(item) <= last ? 1 : 0
                last = self.last(item)
            }
            return count
        }
    }

    /// The rows of a quarter.
    struct Rows: BlockItems {
        let units: UnsafeBufferPointer<UInt8>

        @inline(__always)
        func unit(_ row: Int) -> Int { Int(units[row]) }

        @inline(__always)
        func last(_ row: Int) -> Int { unit(row) }

        @inline(__always)
        var drops: Int {
            // A quarter has at most 16,384 rows, so the count fits, and 16 bits vectorise better.
            var count: UInt16 = 0
            guard units.count > 1 else { return 0 }
            for row in 1..<units.count { count &+= units[row] <= units[row &- 1] ? 1 : 0 }
            return Int(count)
        }
    }
}

/// The items of one record.
protocol BlockItems {
    /// The unit of an item, modulo 256.
    func unit(_ item: Int) -> Int
    /// That of its last row, not modulo 256.
    func last(_ item: Int) -> Int
    /// The number of all drops.
    var drops: Int { get }
}
