/// Memory for sorting, kept from one image to the next.
struct FrameSortScratch: ~Copyable {
    var keys = GrowableBuffer<UInt64>()
    var other = GrowableBuffer<UInt64>()
    var stretches = GrowableBuffer<UInt64>()
    var sorted = GrowableBuffer<FrameSpan>()

    /// Merges `next`, at least one key and sorted, into the sorted `keys`. Returns the number of keys moved.
    mutating func merge(_ next: UnsafeMutableBufferPointer<UInt64>) -> Int {
        // Keys below all of `next` stay.
        var first = 0
        var end = keys.count
        while first < end {
            let middle = (first + end) / 2
            if keys.elements[middle] < next[0] { first = middle + 1 } else { end = middle }
        }
        other.removeAll()
        other.append(contentsOf: UnsafeMutableBufferPointer(rebasing: keys.elements[first...]))
        keys.setCount(first)
        let moved = other.count + next.count
        var position = 0
        for key in other.elements {
            while position < next.count, next[position] < key {
                keys.append(next[position])
                position += 1
            }
            keys.append(key)
        }
        keys.append(contentsOf: UnsafeMutableBufferPointer(rebasing: next[position...]))
        return moved
    }
}

extension FrameIndex {
    /// Sorts by start address, equal ones in file order.
    mutating func sort() {
        if isCompact { return sortKeys() }
        let count = spans.count
        let elements = spans.elements
        let order = (0..<count).sorted { (elements[$0].start, $0) < (elements[$1].start, $1) }
        scratch.sorted.reserveCapacity(count)
        scratch.sorted.setCount(count)
        for position in 0..<count { scratch.sorted.elements[position] = elements[order[position]] }
        swap(&spans, &scratch.sorted)
    }

    /// A linker may order code sections differently from their FDEs, but keeps the FDEs of each section together. So
    /// there are far fewer stretches than FDEs, and sorting the stretches is nearly all the work.
    private mutating func sortKeys() {
        if stretches.count > keys.count / 4 || !sortStretches() { Self.sort(&keys, &scratch.other) }
    }

    /// Returns false, with the keys unchanged, if the stretches overlap too much.
    private mutating func sortStretches() -> Bool {
        let source = keys.elements
        // Each stretch's start << 32 | its number.
        scratch.stretches.removeAll()
        for number in 0..<stretches.count {
            scratch.stretches.append(source[Int(stretches.elements[number])] & ~0xffff_ffff | UInt64(number))
        }
        Self.sort(&scratch.stretches, &scratch.other)
        scratch.keys.removeAll()
        scratch.keys.reserveCapacity(keys.count)
        var mergedCount = 0
        for entry in scratch.stretches.elements {
            let next = UnsafeMutableBufferPointer(rebasing: source[stretch(Int(entry & 0xffff_ffff))])
            if let last = scratch.keys.elements.last, last > next[0] {
                mergedCount += scratch.merge(next)
                guard mergedCount <= keys.count else { return false }
            } else {
                scratch.keys.append(contentsOf: next)
            }
        }
        swap(&keys, &scratch.keys)
        return true
    }

    /// The keys of a stretch.
    private func stretch(_ number: Int) -> Range<Int> {
        let next = number + 1 < stretches.count ? Int(stretches.elements[number + 1]) : keys.count
        return Int(stretches.elements[number])..<next
    }

    /// Radix sort by the upper half, least significant digit first. It is stable, so keys with the same upper half stay
    /// in file order.
    private static func sort(_ keys: inout GrowableBuffer<UInt64>, _ other: inout GrowableBuffer<UInt64>) {
        var all: UInt64 = 0
        for key in keys.elements { all |= key }
        let bits = 64 - (all >> 32).leadingZeroBitCount
        let passes = (bits + 10) / 11
        guard passes > 0 else { return }
        let digitBits = (bits + passes - 1) / passes
        other.reserveCapacity(keys.count)
        other.setCount(keys.count)
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: 1 << digitBits) { places in
            for pass in 0..<passes {
                distribute(
                    keys.elements, to: other.elements, byBitsFrom: UInt64(32 + pass * digitBits), places)
                swap(&keys, &other)
            }
        }
    }

    /// One pass of the radix sort. `places` has an element per digit value: first the digit's count, then the index
    /// where its next key goes. The size of `places`, a power of two, gives the digit's width.
    private static func distribute(
        _ source: UnsafeMutableBufferPointer<UInt64>, to target: UnsafeMutableBufferPointer<UInt64>,
        byBitsFrom shift: UInt64, _ places: UnsafeMutableBufferPointer<Int32>
    ) {
        let mask = places.count - 1
        places.initialize(repeating: 0)
        for key in source { places[Int(truncatingIfNeeded: key &>> shift) & mask] &+= 1 }
        var next: Int32 = 0
        for digit in places.indices {
            let number = places[digit]
            places[digit] = next
            next &+= number
        }
        for key in source {
            let digit = Int(truncatingIfNeeded: key &>> shift) & mask
            target[Int(places[digit])] = key
            places[digit] &+= 1
        }
    }

    func hasOverlaps() -> Bool {
        var limit: UInt64 = 0
        for position in 0..<count {
            let span = span(at: position)
            if span.start < limit { return true }
            limit = span.limit
        }
        return false
    }

    /// Gives each address to the first FDE, in file order, that covers it.
    ///
    /// A sweep over ascending addresses with a heap of the FDEs that cover the current address.
    mutating func resolveOverlaps() {
        let all = spans.elements
        scratch.sorted.removeAll()
        var covering = PriorityHeap()
        var owned = [UInt64](repeating: 0, count: all.count)
        var position: UInt64 = 0
        var next = 0
        while true {
            if covering.isEmpty {
                guard next < all.count else { break }
                position = all[next].start
            }
            while next < all.count, all[next].start <= position {
                covering.insert(PriorityHeap.Entry(priority: priority(of: all[next]), index: next))
                next += 1
            }
            guard let first = covering.first else { break }
            let owner = all[first.index]
            if owner.limit <= position {
                covering.removeFirst()
                continue
            }
            let limit = next < all.count ? min(owner.limit, all[next].start) : owner.limit
            emit(owner, position..<limit, isContinuation: owned[first.index] != 0)
            owned[first.index] += limit - position
            position = limit
        }
        for index in all.indices where owned[index] < all[index].limit - all[index].start { overlappingCount += 1 }
        swap(&spans, &scratch.sorted)
    }

    /// File order: section first, then offset.
    private func priority(of span: FrameSpan) -> UInt64 {
        UInt64(cies[span.cie].section) << 32 | UInt64(span.offset)
    }

    private mutating func emit(_ owner: FrameSpan, _ range: Range<UInt64>, isContinuation: Bool) {
        let sorted = scratch.sorted.elements
        if let last = sorted.last, last.limit == range.lowerBound, last.offset == owner.offset,
            last.cie == owner.cie
        {
            sorted[sorted.count - 1].limit = range.upperBound
            if range.upperBound == owner.limit, last.start == owner.start { sorted[sorted.count - 1].isPart = false }
            return
        }
        var part = owner
        part.start = range.lowerBound
        part.limit = range.upperBound
        part.isPart = part.start != owner.start || part.limit != owner.limit
        part.isContinuation = isContinuation
        scratch.sorted.append(part)
    }

    /// Clips the spans to `ranges`, which are sorted and disjoint.
    mutating func clip(to ranges: [Range<UInt64>]) {
        // In almost every file all FDEs are within the segments, and nothing has to move.
        if !ranges.isEmpty, allInside(ranges) { return }
        let all = spans.elements
        scratch.sorted.removeAll()
        var first = 0
        for span in all {
            while first < ranges.count, ranges[first].upperBound <= span.start { first += 1 }
            var range = first
            var isKept = false
            while range < ranges.count, ranges[range].lowerBound < span.limit {
                var part = span
                part.start = max(span.start, ranges[range].lowerBound)
                part.limit = min(span.limit, ranges[range].upperBound)
                if part.start != span.start || part.limit != span.limit { part.isPart = true }
                if isKept { part.isContinuation = true }
                scratch.sorted.append(part)
                isKept = true
                range += 1
            }
            if !isKept, !span.isPart { droppedCount += 1 }
        }
        swap(&spans, &scratch.sorted)
    }

    private func allInside(_ ranges: [Range<UInt64>]) -> Bool {
        var current = 0
        for span in spans.elements {
            while ranges[current].upperBound <= span.start {
                current += 1
                if current == ranges.count { return false }
            }
            if span.start < ranges[current].lowerBound || span.limit > ranges[current].upperBound { return false }
        }
        return true
    }
}

/// A binary min-heap by priority.
struct PriorityHeap {
    struct Entry {
        var priority: UInt64
        var index: Int
    }

    private var entries: [Entry] = []

    var isEmpty: Bool { entries.isEmpty }
    var first: Entry? { entries.first }

    mutating func insert(_ entry: Entry) {
        entries.append(entry)
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard entries[child].priority < entries[parent].priority else { return }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    mutating func removeFirst() {
        guard let last = entries.popLast(), !entries.isEmpty else { return }
        entries[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < entries.count && entries[child].priority < entries[least].priority {
                least = child
            }
            if least == parent { return }
            entries.swapAt(parent, least)
            parent = least
        }
    }
}
