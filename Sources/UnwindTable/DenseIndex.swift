import CUnwindTable

/// How a dense record's index tells which items each block has: docs/table-format.md, "Pages".
struct DenseIndex {
    /// Whether it has groups of 16 blocks with their numbers of items, 4 bits each; else groups of 8 blocks.
    let isNibbles: Bool
    /// log2 of a block's units.
    let bits: Int
    let blocks: Int

    /// Nil if there is no such index, or if its last group would be incomplete.
    init?(_ record: cfic_dense) {
        isNibbles = UInt32(record.index) == CFIC_INDEX_NIBBLES.rawValue
        bits = isNibbles ? Int(CFIC_BLOCK_BITS) : Int(record.index)
        guard (Int(CFIC_DENSE_BLOCK_BITS_MIN)...Int(CFIC_BLOCK_BITS)).contains(bits) else { return nil }
        let units = Int(record.last_unit) + 1
        blocks = units >> bits
        let groupBits = Int(isNibbles ? CFIC_NIBBLE_GROUP_BITS : CFIC_GROUP_BITS)
        guard blocks > 0, units == blocks << bits, blocks & (1 << groupBits - 1) == 0 else { return nil }
    }

    /// In bytes.
    var size: Int {
        isNibbles
            ? MemoryLayout<cfic_nibble_group>.size * (blocks >> Int(CFIC_NIBBLE_GROUP_BITS))
            : MemoryLayout<UInt64>.size * (blocks >> Int(CFIC_GROUP_BITS))
    }

    // In the functions below, `groups` is the index and the item count that follows it.

    /// The number of items before a group of 8 blocks; the number of all items after the last group.
    @inline(__always)
    static func base(_ groups: UnsafeRawPointer, _ group: Int) -> Int {
        Int(groups.loadUnaligned(fromByteOffset: 8 &* group, as: UInt16.self)) & (1 << Int(CFIC_GROUP_BASE_BITS) &- 1)
    }

    /// The number of items up to the end of a block, by groups of 8 blocks.
    @inline(__always)
    func end(_ groups: UnsafeRawPointer, _ block: Int) -> Int {
        let group = block &>> Int(CFIC_GROUP_BITS)
        let place = block & (1 << Int(CFIC_GROUP_BITS) &- 1)
        if place == 1 << Int(CFIC_GROUP_BITS) &- 1 { return Self.base(groups, group &+ 1) }
        let word = groups.loadUnaligned(fromByteOffset: 8 &* group, as: UInt64.self)
        let starts = word &>> UInt64(Int(CFIC_GROUP_BASE_BITS) &+ Int(CFIC_GROUP_START_BITS) &* place)
        return Self.base(groups, group) &+ Int(starts & (1 << UInt64(CFIC_GROUP_START_BITS) &- 1))
    }

    /// The same by groups of 16 blocks, if `first` items are before the block; -1 if a group says otherwise.
    @inline(__always)
    func nibblesEnd(_ groups: UnsafeRawPointer, _ block: Int, _ first: Int) -> Int {
        let group = groups + MemoryLayout<cfic_nibble_group>.size &* (block &>> Int(CFIC_NIBBLE_GROUP_BITS))
        let place = block & (1 << Int(CFIC_NIBBLE_GROUP_BITS) &- 1)
        if place == 0, Int(group.loadUnaligned(as: UInt16.self)) != first { return -1 }
        let counts = group.loadUnaligned(fromByteOffset: 2, as: UInt64.self)
        return first &+ Int(counts &>> UInt64(4 &* place) & UInt64(CFIC_NIBBLE_MAX))
    }
}
