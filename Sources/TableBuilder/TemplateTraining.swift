import CUnwindTable
import CallFrameInfo

/// Finds the sequences of rows that a sample repeats most, by byte-pair encoding: in each round, the most frequent pairs
/// of neighbours become templates, which may be neighbours of each other in the next one.
///
/// What stands in the sample is a *symbol*: a rule number below 256, or 256 + a template. A *pair* consists of two symbols
/// in one block and the gap between their first rows. Equal pairs get into the same order whatever the machine, because
/// all orders are total.
struct TemplateTraining: ~Copyable {
    /// The most templates that are tried: half as many again as a table may have.
    private static var trialLimit: Int { Int(CFIC_TEMPLATES_MAX) * 3 / 2 }
    private static var rounds: Int { 5 }
    /// Rarer pairs make no template. Of all rows, eight pairs save what a template takes; what comes four times in a
    /// part of them comes more often.
    private let leastCount: UInt32
    /// The symbol of rules that templates can't have.
    private static var unfit: UInt16 { .max }

    private(set) var templates: [Template] = []
    /// Of each symbol in the sample, the stretch << 16 | the unit; and the symbol.
    private let positions: UnsafeMutablePointer<UInt32>
    private let symbols: UnsafeMutablePointer<UInt16>
    private var count = 0
    /// The number of rows of each symbol.
    private let rowCounts: UnsafeMutablePointer<UInt8>
    private var pairs = PairCounts()
    private var chosen = PairCounts()

    init(_ sample: borrowing RowSample) {
        positions = .allocate(capacity: sample.rows.count)
        symbols = .allocate(capacity: sample.rows.count)
        rowCounts = .allocate(capacity: 256 + Self.trialLimit)
        rowCounts.initialize(repeating: 1, count: 256 + Self.trialLimit)
        leastCount = sample.stride == 1 ? 8 : 4
        var stretch: UInt32 = 0
        let (positions, symbols) = (positions, symbols)
        var count = 0
        sample.forEachStretch { rows in
            for row in rows {
                positions[count] = stretch &<< 16 | row &>> 16
                symbols[count] = row & 0xffff < 256 ? UInt16(truncatingIfNeeded: row) : Self.unfit
                count += 1
            }
            stretch &+= 1
        }
        self.count = count
        run()
    }

    deinit {
        positions.deallocate()
        symbols.deallocate()
        rowCounts.deallocate()
    }

    private mutating func run() {
        let perRound = Self.trialLimit / Self.rounds
        pairs.reset(expecting: count)
        for position in 0..<max(count - 1, 0) { countPair(position) }
        for _ in 0..<Self.rounds {
            let best = pairs.mostFrequent(
                min(perRound, Self.trialLimit - templates.count), atLeast: leastCount)
            if best.isEmpty { return }
            chosen.reset(expecting: best.count)
            for key in best {
                chosen.add(key, UInt32(256 + templates.count))
                let template = Template(
                    part(key &>> 18), gap: UInt8(truncatingIfNeeded: key), part(key &>> 8 & 0x3ff))
                rowCounts[256 + templates.count] = UInt8(template.count)
                templates.append(template)
            }
            replacePairs()
        }
    }

    /// The rows of a symbol.
    private func part(_ symbol: UInt32) -> Template {
        symbol < 256 ? Template(rule: UInt8(symbol)) : templates[Int(symbol) - 256]
    }

    /// The key of the pair at a position and the next one: symbol << 18 | symbol << 8 | gap. 0, which no pair has because
    /// gaps aren't 0, if they are no pair.
    @inline(__always)
    private func key(_ position: Int) -> UInt32 {
        let (first, second) = (positions[position], positions[position &+ 1])
        let (left, right) = (symbols[position], symbols[position &+ 1])
        // In one block, and so less than 256 units apart.
        guard (first ^ second) &>> 8 == 0, second > first, left != Self.unfit, right != Self.unfit else { return 0 }
        return UInt32(left) &<< 18 | UInt32(right) &<< 8 | (second &- first)
    }

    @inline(__always)
    private mutating func countPair(_ position: Int) {
        let key = key(position)
        if key == 0 { return }
        let rows = rowCounts[Int(key &>> 18)] &+ rowCounts[Int(key &>> 8 & 0x3ff)]
        if rows <= Template.longest { pairs.add(key, 1) }
    }

    /// Replaces chosen pairs by their templates, from left to right, and counts the pairs that come of it.
    private mutating func replacePairs() {
        pairs.reset(expecting: count)
        var kept = 0
        var position = 0
        while position < count {
            var symbol = symbols[position]
            var step = 1
            if position + 1 < count {
                let key = key(position)
                let template = key == 0 ? 0 : chosen.value(key)
                if template != 0 { (symbol, step) = (UInt16(truncatingIfNeeded: template), 2) }
            }
            positions[kept] = positions[position]
            symbols[kept] = symbol
            kept += 1
            if kept > 1 { countPair(kept - 2) }
            position += step
        }
        count = kept
    }
}

/// A hash table from pairs' keys, which aren't 0, to numbers.
struct PairCounts: ~Copyable {
    /// Key << 32 | number; 0 where nothing is.
    private var slots: UnsafeMutablePointer<UInt64> = .allocate(capacity: 1)
    private var capacity = 1
    /// Number of slots in use: a power of 2.
    private var size = 1
    /// At most half of them, so that a search ends.
    private var keyCount = 0

    init() { slots.initialize(to: 0) }
    deinit { slots.deallocate() }

    /// Empties it. It has room for some of `count` keys, because most of the pairs that are counted are equal, and grows.
    mutating func reset(expecting count: Int) {
        size = 256
        while size < count / 2 { size *= 2 }
        if size > capacity { reallocate() }
        slots.initialize(repeating: 0, count: size)
        keyCount = 0
    }

    private mutating func reallocate() {
        slots.deallocate()
        slots = .allocate(capacity: size)
        capacity = size
    }

    @inline(never)
    private mutating func grow() {
        var old: [UInt64] = []
        for slot in 0..<size where slots[slot] != 0 { old.append(slots[slot]) }
        size *= 2
        if size > capacity { reallocate() }
        slots.initialize(repeating: 0, count: size)
        for pair in old { slots[slot(UInt32(truncatingIfNeeded: pair >> 32))] = pair }
    }

    /// The slot of a key, or the free one where it would be. There is one, because at most half of all are used.
    @inline(__always)
    private func slot(_ key: UInt32) -> Int {
        let shift = UInt64(64 - size.trailingZeroBitCount)
        var slot = Int(truncatingIfNeeded: (UInt64(key) &* 0x9E37_79B9_7F4A_7C15) &>> shift)
        while slots[slot] != 0, UInt32(truncatingIfNeeded: slots[slot] &>> 32) != key {
            slot = (slot &+ 1) & (size &- 1)
        }
        return slot
    }

    /// Adds to the number of a key.
    @inline(__always)
    mutating func add(_ key: UInt32, _ number: UInt32) {
        let slot = slot(key)
        // Sums are at most the number of rows in a sample.
        if slots[slot] != 0 {
            slots[slot] &+= UInt64(number)
        } else {
            slots[slot] = UInt64(key) &<< 32 | UInt64(number)
            keyCount &+= 1
            if keyCount &* 2 > size { grow() }
        }
    }

    /// The number of a key; 0 if it isn't there.
    @inline(__always)
    func value(_ key: UInt32) -> UInt32 { UInt32(truncatingIfNeeded: slots[slot(key)]) }

    /// The keys with the highest numbers, highest first, and lowest key first if they are equal.
    func mostFrequent(_ limit: Int, atLeast least: UInt32) -> [UInt32] {
        var found: [UInt64] = []
        for slot in 0..<size {
            let count = UInt32(truncatingIfNeeded: slots[slot])
            if count >= least { found.append(UInt64(~count) &<< 32 | slots[slot] &>> 32) }
        }
        found.sort()
        return found.prefix(limit).map { UInt32(truncatingIfNeeded: $0) }
    }
}
