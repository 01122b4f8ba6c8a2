import CUnwindTable
import Glibc
import UnwindTable

/// A table in kernel memory, shared by all images with its key; or what remains of it when it is evicted: the heads of
/// its ranges, which mappings lead to, so that none of them has to be published again.
final class KernelTable {
    let key: TableSource.Key
    let fileBytes: Int
    let ranges: [PlacedRange]
    private let heads: [Span]
    /// What its contents take; nil while they are evicted.
    private(set) var contents: [Span]?
    /// The number of images that use it, plus one if the user added it.
    var users = 0
    /// How much walks needed it.
    private(set) var use = RecentUse()
    /// Whether it must not be evicted.
    var stays = false
    /// Whether its contents are being read again.
    var isComing = false
    /// Before this time it isn't read again, because it did not fit; CLOCK_MONOTONIC, in nanoseconds.
    var rests: UInt64 = 0

    /// A table without contents.
    init(_ view: TableView, in memory: ElementMemory) throws(KernelError) {
        key = view.key
        fileBytes = view.bytes.count
        (ranges, heads) = try TablePlacement.placeHeads(of: view, in: memory)
    }

    /// The kernel memory that its contents take, in bytes.
    var bytes: Int { (contents ?? []).reduce(0) { $0 + $1.count * 4 } }

    /// Whether a table with the same key has the same ranges, as it has if it is the same.
    func isSame(as view: TableView) -> Bool {
        let shift = view.pageShift
        return ranges.elementsEqual(view.ranges) {
            $0.addresses.lowerBound == $1.start_page << shift && $0.pageCount == $1.page_count
        }
    }

    /// Copies its contents into memory, where BPF programs don't use them yet.
    func fill(_ view: TableView, _ numbers: inout Numbers, in memory: ElementMemory) throws(KernelError) {
        contents = try TablePlacement.place(view, heads: ranges, &numbers, in: memory)
    }

    /// Has BPF programs use the contents. If they know the heads already, they must have ended since ``fill``, because they
    /// don't read a head at one time.
    func activate(in memory: ElementMemory) {
        for range in ranges { memory.head(range.place).pointee.page_count = range.pageCount }
    }

    /// Frees contents that were never activated.
    func discardContents(in memory: ElementMemory) {
        for span in contents ?? [] { memory.free(span) }
        contents = nil
    }

    /// Frees a table that no mapping ever led to.
    func discard(in memory: ElementMemory) {
        discardContents(in: memory)
        for span in heads { memory.free(span) }
    }

    /// Evicts it: walks end there from now on, but BPF programs that are running may still be reading it.
    func evict(from memory: ElementMemory) {
        for range in ranges { memory.head(range.place).pointee.page_count = 0 }
        memory.retire(contents ?? [])
        contents = nil
    }

    /// Retires it with its heads, which no mapping leads to any more.
    func retire(from memory: ElementMemory) {
        evict(from: memory)
        memory.retire(heads)
    }

    /// Takes note of how much BPF programs needed it since the last time.
    func noteUse(at now: UInt64, in memory: ElementMemory) {
        use.note(ranges.reduce(0) { $0 &+ memory.head($1.place).pointee.uses }, at: now)
    }
}

/// How much something was needed in the recent past: the number of its uses, of which those that are older count less.
struct RecentUse: Equatable {
    /// The last count that was read.
    private var count: UInt32 = 0
    /// When the amount was last computed; CLOCK_MONOTONIC, in nanoseconds.
    private var time: UInt64 = 0
    /// The number of uses, each halved for every ``halfLife`` since.
    private(set) var amount = 0.0
    /// When it was last noted that there had been a use since the time before; 0 if never.
    private(set) var lastUse: UInt64 = 0

    /// In nanoseconds: long compared with the time in which a table can be read again, and short for a profile.
    static let halfLife = 10e9

    /// - Parameter count: of all uses, modulo 2^32.
    mutating func note(_ count: UInt32, at now: UInt64) {
        let new = count &- self.count
        amount = amount * exp2(-Double(now - min(time, now)) / Self.halfLife) + Double(new)
        // Less than this is nothing, and isn't halved for ever.
        if amount < 0.01 { amount = 0 }
        if new > 0 { lastUse = now }
        (self.count, time) = (count, now)
    }
}
