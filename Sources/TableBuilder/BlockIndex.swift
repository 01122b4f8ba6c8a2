import CUnwindTable
import Glibc
import UnwindTable

/// The index of a dense record, which tells where each block's items are: docs/table-format.md, "Pages".
struct BlockIndex: ~Copyable {
    /// By block: the number of its items.
    private let counts: UnsafeMutablePointer<UInt16>
    private var blockBits: UInt32 = 0
    /// The number of blocks that the index has: whole groups, up to the last item.
    private var blockCount = 0
    private var hasNibbles = false

    private static var mostBlocks: Int { Int(CFIC_PAGE_UNITS) >> Int(CFIC_DENSE_BLOCK_BITS_MIN) }

    init() { counts = PageEncoder.zeroed(Self.mostBlocks) }
    deinit { free(counts) }

    /// In bytes, without the number of items that follows it.
    var size: Int {
        hasNibbles ? blockCount / 16 * MemoryLayout<cfic_nibble_group>.size : blockCount
    }

    /// As in a record's head.
    var kind: UInt8 { hasNibbles ? UInt8(CFIC_INDEX_NIBBLES.rawValue) : UInt8(blockBits) }

    /// The last unit of the last block.
    var lastUnit: Int { blockCount << Int(blockBits) - 1 }

    /// Counts items (unit << 16 | symbol) by blocks of 2^blockBits units. Returns whether the index can hold them.
    mutating func count(_ items: UnsafeBufferPointer<UInt32>, blockBits: UInt32) -> Bool {
        self.blockBits = blockBits
        let counts = counts
        counts.update(repeating: 0, count: Int(CFIC_PAGE_UNITS) >> Int(blockBits))
        let shift = 16 &+ blockBits
        for item in items { counts[Int(item &>> shift)] &+= 1 }
        let last = Int(items[items.count - 1] >> shift)
        var most: UInt16 = 0
        for block in 0...last { most = max(most, counts[block]) }
        hasNibbles = blockBits == CFIC_BLOCK_BITS && most <= CFIC_NIBBLE_MAX
        let group = hasNibbles ? 1 << Int(CFIC_NIBBLE_GROUP_BITS) : 1 << Int(CFIC_GROUP_BITS)
        blockCount = (last / group + 1) * group
        if hasNibbles { return true }
        guard most <= CFIC_BLOCK_MAX else { return false }
        for group in stride(from: 0, to: blockCount, by: 8) {
            var start = 0
            for block in group..<group + 7 { start += Int(counts[block]) }
            if start >= 1 << Int(CFIC_GROUP_START_BITS) { return false }
        }
        return true
    }

    func write(to place: UnsafeMutableRawPointer) {
        hasNibbles ? writeNibbles(to: place) : writeGroups(to: place)
    }

    private func writeNibbles(to place: UnsafeMutableRawPointer) {
        var place = place
        var before: UInt16 = 0
        for group in stride(from: 0, to: blockCount, by: 16) {
            place.storeBytes(of: before, as: UInt16.self)
            var word: UInt64 = 0
            for block in 0..<16 {
                word |= UInt64(counts[group + block]) << UInt64(4 * block)
                before += counts[group + block]
            }
            place.storeBytes(of: word, toByteOffset: 2, as: UInt64.self)
            place += MemoryLayout<cfic_nibble_group>.size
        }
    }

    private func writeGroups(to place: UnsafeMutableRawPointer) {
        var place = place
        var before: UInt64 = 0
        for group in stride(from: 0, to: blockCount, by: 8) {
            var word = before
            var start: UInt64 = 0
            for block in 0..<7 {
                start += UInt64(counts[group + block])
                word |= start << UInt64(Int(CFIC_GROUP_BASE_BITS) + Int(CFIC_GROUP_START_BITS) * block)
            }
            place.storeBytes(of: word, as: UInt64.self)
            before += start + UInt64(counts[group + 7])
            place += 8
        }
    }
}
