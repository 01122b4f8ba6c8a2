import CUnwindTable

/// Finds the templates that rows begin with.
///
/// A node stands for the first rows of templates; 0 to 255 for one row, by its rule. From a node, the gap to the next row
/// and its rule lead to the next node.
struct TemplateTrie: ~Copyable {
    /// Of each step from node to node, in a hash table: key << 32 | (template that ends there + 1) << 16 | next node. The key
    /// is node << 16 | gap << 8 | rule, and never 0, because gaps aren't.
    private let slots: UnsafeMutablePointer<UInt64>
    /// Their number, a power of 2.
    private let size: Int
    /// Leaves as many bits of a hash as the size has.
    private let shift: UInt64
    /// Bit gap of 256 from rule << 8 on: whether a template begins with the rule and this gap.
    private let beginnings: UnsafeMutablePointer<UInt64>
    private static var beginningWords: Int { 256 * 256 / 64 }
    /// The symbol of the first template: the number of rules.
    private let firstSymbol: UInt32

    init(_ templates: [Template], ruleCount: Int) {
        let steps = templates.reduce(0) { $0 + $1.count - 1 }
        var size = 512
        while size < 2 * (steps + 1) { size *= 2 }
        self.size = size
        shift = UInt64(64 - size.trailingZeroBitCount)
        slots = .allocate(capacity: size)
        slots.initialize(repeating: 0, count: size)
        beginnings = .allocate(capacity: Self.beginningWords)
        beginnings.initialize(repeating: 0, count: Self.beginningWords)
        firstSymbol = UInt32(ruleCount)
        // There are at most 384 templates of 7 steps, so a node's number has 12 bits.
        var nodeCount: UInt64 = 256
        for (number, template) in templates.enumerated() {
            let first = Int(template.rules[0]) << 8 | Int(template.offsets[1])
            beginnings[first >> 6] |= 1 << UInt64(first & 63)
            var node = UInt64(template.rules[0])
            var slot = 0
            for row in 1..<template.count {
                let gap = template.offsets[row] - template.offsets[row - 1]
                let key = node << 16 | UInt64(gap) << 8 | UInt64(template.rules[row])
                slot = self.slot(key)
                if slots[slot] == 0 {
                    slots[slot] = key << 32 | nodeCount
                    nodeCount += 1
                }
                node = slots[slot] & 0xffff
            }
            slots[slot] = slots[slot] & ~0xffff_0000 | UInt64(number + 1) << 16
        }
    }

    deinit {
        slots.deallocate()
        beginnings.deallocate()
    }

    /// The slot of a key, or the free one where it would be. There is one, because at most half of all are used.
    @inline(__always)
    private func slot(_ key: UInt64) -> Int {
        var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) &>> shift)
        while slots[slot] != 0, slots[slot] &>> 32 != key { slot = (slot &+ 1) & (size &- 1) }
        return slot
    }

    @inline(__always)
    private func begins(_ rule: UInt32, gap: UInt32) -> Bool {
        let place = rule &<< 8 | gap
        return beginnings[Int(place &>> 6)] &>> UInt64(place & 63) & 1 != 0
    }

    /// Replaces rows (unit << 16 | rule number) by items (unit << 16 | symbol): each time by the longest template that begins
    /// there and whose rows lie in one block of `blockMask` + 1 units, at most 256. A rule's symbol is here its number, a
    /// template's the number of rules + its index.
    ///
    /// - Parameters:
    ///   - items: memory for as many items as rows; may be the rows' own.
    ///   - final: the table's rule number, by a row's.
    ///   - uses: by symbol, how often it was used; increased.
    /// - Returns: the number of items.
    @inline(__always)
    func parse(
        _ rows: UnsafePointer<UInt32>, count: Int, to items: UnsafeMutablePointer<UInt32>, blockMask: UInt32,
        uses: UnsafeMutablePointer<UInt32>, final: (UInt32) -> UInt32
    ) -> Int {
        var row = 0
        var itemCount = 0
        while row < count {
            let unit = rows[row] &>> 16
            let rule = final(rows[row] & 0xffff)
            let blockEnd = unit | blockMask
            var symbol = rule
            var end = row &+ 1
            if rule < 256, end < count, rows[end] &>> 16 <= blockEnd, begins(rule, gap: rows[end] &>> 16 &- unit) {
                var node = UInt64(rule)
                var next = end
                repeat {
                    let nextRule = final(rows[next] & 0xffff)
                    if nextRule > 255 { break }
                    let gap = UInt64(rows[next] &>> 16 &- rows[next &- 1] &>> 16)
                    let step = slots[slot(node &<< 16 | gap &<< 8 | UInt64(nextRule))]
                    if step == 0 { break }
                    next &+= 1
                    let template = UInt32(truncatingIfNeeded: step &>> 16 & 0xffff)
                    if template != 0 { (end, symbol) = (next, firstSymbol &+ template &- 1) }
                    node = step & 0xffff
                } while next < count && rows[next] &>> 16 <= blockEnd
            }
            // Not beyond the rows that were read.
            items[itemCount] = unit &<< 16 | symbol
            itemCount &+= 1
            uses[Int(symbol)] &+= 1
            row = end
        }
        return itemCount
    }
}
