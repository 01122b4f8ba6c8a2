import CUnwindTable
import CallFrameInfo

/// Encodes drafted pages as records, in the smallest of the record kinds that holds each.
struct PageEncoder: ~Copyable {
    /// The records, behind whatever stood there at `begin`.
    private(set) var records = GrowableBuffer<UInt8>()
    /// Where the first record begins.
    private var origin = 0
    /// Palette slot of a rule in the current page: page stamp << 16 | slot.
    private let slots: UnsafeMutablePointer<UInt32>
    private var stamp: UInt32 = 0
    private let palette: UnsafeMutablePointer<UInt16>
    /// Rows of a dense page before the end of each of its blocks.
    private let ends: UnsafeMutablePointer<UInt16>

    init() {
        slots = .allocate(capacity: Int(CFIC_RULES_MAX))
        slots.initialize(repeating: 0, count: Int(CFIC_RULES_MAX))
        palette = .allocate(capacity: Int(CFIC_PALETTE_MAX))
        palette.initialize(repeating: 0, count: Int(CFIC_PALETTE_MAX))
        ends = .allocate(capacity: Int(CFIC_PAGE_BLOCKS))
        ends.initialize(repeating: 0, count: Int(CFIC_PAGE_BLOCKS))
    }

    deinit {
        slots.deallocate()
        palette.deallocate()
        ends.deallocate()
    }

    /// Starts over; records go to memory of the encoder's own.
    mutating func begin() {
        records.removeAll()
        origin = 0
    }

    /// Starts over with `output` in place of the encoder's own memory: records go behind what it holds. To be
    /// called again afterwards, which gives it back.
    mutating func exchangeRecords(with output: inout GrowableBuffer<UInt8>) {
        swap(&records, &output)
        origin = records.count
    }

    /// Bytes of records.
    var recordBytes: Int { records.count - origin }

    /// Encodes one page's rows, whose first is at unit 0, and returns the directory entry for records that
    /// start at place 0.
    ///
    /// - Parameter final: a rule's number in the table by its number in `rows`; the rows' numbers are below
    ///   its count.
    mutating func encode(_ rows: UnsafeBufferPointer<UInt32>, final: UnsafeBufferPointer<UInt16>) -> UInt32 {
        if rows.count == 1 { return UInt32(final[Int(rows[0] & 0xffff)]) << UInt32(CFIC_PAGE_KIND_BITS) }
        if rows.count <= CFIC_SPARSE_MAX { return encodeSparse(rows, final) }
        return encodeDense(rows, final) ?? encodeQuarters(rows, final)
    }

    private func entry(_ kind: cfic_page_kind, at offset: Int) -> UInt32 {
        // A pages section stays below 4 GiB: `ArchitectureBuilder` refuses larger ones.
        UInt32(truncatingIfNeeded: (offset - origin) / Int(CFIC_RECORD_ALIGN)) << UInt32(CFIC_PAGE_KIND_BITS) | kind.rawValue
    }

    /// Makes room for a record and returns its place; `records` ends behind it, aligned and zeroed at the end.
    private mutating func open(_ size: Int) -> UnsafeMutableRawPointer {
        let start = records.count
        let aligned = (size + Int(CFIC_RECORD_ALIGN) - 1) & ~(Int(CFIC_RECORD_ALIGN) - 1)
        records.reserveCapacity(start + aligned)
        records.setCount(start + aligned)
        // Not nil: at least one record's room was reserved.
        let place = UnsafeMutableRawPointer(records.elements.baseAddress.unsafelyUnwrapped + start)
        for padding in size..<aligned { place.storeBytes(of: 0, toByteOffset: padding, as: UInt8.self) }
        return place
    }

    // MARK: Rules of a page

    /// Writes the rules' numbers themselves, a byte each; false if one is 256 or more.
    @inline(__always)
    private func writeNumbers(
        _ rows: UnsafeBufferPointer<UInt32>, _ final: UnsafeBufferPointer<UInt16>, to place: UnsafeMutableRawPointer
    ) -> Bool {
        let bytes = place.assumingMemoryBound(to: UInt8.self)
        var all: UInt16 = 0
        for position in 0..<rows.count {
            let rule = final[Int(rows[position] & 0xffff)]
            bytes[position] = UInt8(truncatingIfNeeded: rule)
            all |= rule
        }
        return all < CFIC_PALETTE_MAX
    }

    /// Finds the page's palette; returns its size, or nil when 256 entries are too few.
    private mutating func paletteSize(
        _ rows: UnsafeBufferPointer<UInt32>, _ final: UnsafeBufferPointer<UInt16>
    ) -> Int? {
        stamp &+= 1
        if stamp == 1 << 16 {
            slots.update(repeating: 0, count: Int(CFIC_RULES_MAX))
            stamp = 1
        }
        var count = 0
        for row in rows {
            let rule = Int(final[Int(row & 0xffff)])
            if slots[rule] &>> 16 == stamp { continue }
            if count == CFIC_PALETTE_MAX { return nil }
            slots[rule] = stamp &<< 16 | UInt32(count)
            palette[count] = UInt16(truncatingIfNeeded: rule)
            count += 1
        }
        return count
    }

    /// Writes the palette, then room for `gap` bytes, then each row's index in the palette.
    private func writeIndices(
        _ rows: UnsafeBufferPointer<UInt32>, _ final: UnsafeBufferPointer<UInt16>, paletteCount: Int, gap: Int,
        to place: UnsafeMutableRawPointer
    ) {
        for slot in 0..<paletteCount { place.storeBytes(of: palette[slot], toByteOffset: 2 * slot, as: UInt16.self) }
        let bytes = (place + 2 * paletteCount + gap).assumingMemoryBound(to: UInt8.self)
        for position in 0..<rows.count {
            bytes[position] = UInt8(truncatingIfNeeded: slots[Int(final[Int(rows[position] & 0xffff)])])
        }
    }

    // MARK: Records

    private mutating func encodeSparse(
        _ rows: UnsafeBufferPointer<UInt32>, _ final: UnsafeBufferPointer<UInt16>
    ) -> UInt32 {
        let start = records.count
        let head = MemoryLayout<cfic_sparse>.size
        var paletteCount = 0
        var record = open(head + 3 * rows.count)
        if !writeNumbers(rows, final, to: record + head + 2 * rows.count) {
            records.setCount(start)
            // 256 rows have at most 256 rules.
            paletteCount = paletteSize(rows, final) ?? 0
            record = open(head + 2 * paletteCount + 3 * rows.count)
            writeIndices(rows, final, paletteCount: paletteCount, gap: 2 * rows.count, to: record + head)
        }
        record.storeBytes(
            of: cfic_sparse(row_count: UInt16(rows.count), palette_count: UInt16(paletteCount)),
            as: cfic_sparse.self)
        // Records start at multiples of 4, their heads and palettes are of 16-bit numbers.
        let units = (record + head + 2 * paletteCount).assumingMemoryBound(to: UInt16.self)
        for position in 0..<rows.count { units[position] = UInt16(truncatingIfNeeded: rows[position] &>> 16) }
        return entry(CFIC_PAGE_SPARSE, at: start)
    }

    /// Returns nil, leaving nothing behind, when the page needs quarters.
    private mutating func encodeDense(
        _ rows: UnsafeBufferPointer<UInt32>, _ final: UnsafeBufferPointer<UInt16>
    ) -> UInt32? {
        let start = records.count
        let head = MemoryLayout<cfic_dense>.size
        guard head + 2 * rows.count <= CFIC_RECORD_MAX else { return nil }
        var paletteCount = 0
        var record = open(head + 2 * rows.count)
        if !writeNumbers(rows, final, to: record + head + rows.count) {
            records.setCount(start)
            guard let count = paletteSize(rows, final), head + 2 * count + 2 * rows.count <= CFIC_RECORD_MAX else {
                return nil
            }
            paletteCount = count
            record = open(head + 2 * paletteCount + 2 * rows.count)
            writeIndices(rows, final, paletteCount: paletteCount, gap: rows.count, to: record + head)
        }
        guard writeIndex(rows, to: record, paletteCount: paletteCount) else {
            records.setCount(start)
            return nil
        }
        let units = (record + head + 2 * paletteCount).assumingMemoryBound(to: UInt8.self)
        for position in 0..<rows.count { units[position] = UInt8(truncatingIfNeeded: rows[position] &>> 16) }
        return entry(CFIC_PAGE_DENSE, at: start)
    }

    /// Writes a dense record's head; false when a block starts 256 or more rows behind its group.
    private func writeIndex(
        _ rows: UnsafeBufferPointer<UInt32>, to record: UnsafeMutableRawPointer, paletteCount: Int
    ) -> Bool {
        let blocks = Int(CFIC_PAGE_BLOCKS)
        ends.update(repeating: 0, count: blocks)
        // The last row of a block wins; a block without rows ends where the one before does.
        for position in 0..<rows.count {
            ends[Int(rows[position] &>> 24)] = UInt16(truncatingIfNeeded: position &+ 1)
        }
        var head = cfic_dense()
        head.row_count = UInt16(rows.count)
        head.palette_count = UInt16(paletteCount)
        record.storeBytes(of: head, as: cfic_dense.self)
        // row_count and palette_count stand before the bases, the starts before a byte of padding.
        let bases = (record + 4).assumingMemoryBound(to: UInt16.self)
        let starts = (record + 4 + 2 * (Int(CFIC_GROUPS) + 1)).assumingMemoryBound(to: UInt8.self)
        var start: UInt16 = 0
        var widest: UInt16 = 0
        for group in 0..<Int(CFIC_GROUPS) {
            let base = start
            bases[group] = base
            for block in group &<< Int(CFIC_GROUP_BITS)..<(group &+ 1) &<< Int(CFIC_GROUP_BITS) {
                widest = max(widest, start &- base)
                starts[block] = UInt8(truncatingIfNeeded: start &- base)
                start = max(start, ends[block])
            }
        }
        bases[Int(CFIC_GROUPS)] = start
        starts[blocks] = 0
        return widest < 256
    }

    private mutating func encodeQuarters(
        _ rows: UnsafeBufferPointer<UInt32>, _ final: UnsafeBufferPointer<UInt16>
    ) -> UInt32 {
        let start = records.count
        _ = open(MemoryLayout<cfic_quarters>.size)
        var places: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
        var first = 0
        for quarter in 0..<4 {
            let limit = UInt64(quarter + 1) * UInt64(CFIC_QUARTER_UNITS)
            var end = first
            while end < rows.count, UInt64(rows[end] >> 16) < limit { end += 1 }
            let place = UInt32(truncatingIfNeeded: (records.count - origin) / Int(CFIC_RECORD_ALIGN))
            encodeQuarter(rows, first..<end, at: UInt32(quarter) * UInt32(CFIC_QUARTER_UNITS), final)
            withUnsafeMutableBytes(of: &places) { $0.storeBytes(of: place, toByteOffset: 4 * quarter, as: UInt32.self) }
            first = end
        }
        UnsafeMutableRawPointer(records.elements.baseAddress.unsafelyUnwrapped + start)
            .storeBytes(of: cfic_quarters(quarter: places), as: cfic_quarters.self)
        return entry(CFIC_PAGE_QUARTERS, at: start)
    }

    /// A quarter's rows, with the rule in force at its beginning put before them where no row is there.
    private mutating func encodeQuarter(
        _ rows: UnsafeBufferPointer<UInt32>, _ range: Range<Int>, at beginning: UInt32,
        _ final: UnsafeBufferPointer<UInt16>
    ) {
        let startsWithRow = !range.isEmpty && rows[range.lowerBound] >> 16 == beginning
        let count = range.count + (startsWithRow ? 0 : 1)
        let record = open(MemoryLayout<cfic_quarter>.size + 3 * count)
        record.storeBytes(of: UInt16(count), as: UInt16.self)
        let starts = record + 2
        let rules = record + MemoryLayout<cfic_quarter>.size
        let units = rules + 2 * count
        var block = 0
        for position in 0..<count {
            let index = range.lowerBound + position - (startsWithRow ? 0 : 1)
            // The page's first row is at unit 0, so that only later quarters lack one at theirs.
            let unit = position == 0 ? 0 : (rows[index] >> 16) - beginning
            rules.storeBytes(of: final[Int(rows[index] & 0xffff)], toByteOffset: 2 * position, as: UInt16.self)
            units.storeBytes(of: UInt8(truncatingIfNeeded: unit), toByteOffset: position, as: UInt8.self)
            while block <= unit >> UInt32(CFIC_BLOCK_BITS) {
                starts.storeBytes(of: UInt16(position), toByteOffset: 2 * block, as: UInt16.self)
                block += 1
            }
        }
        while block <= CFIC_QUARTER_BLOCKS {
            starts.storeBytes(of: UInt16(count), toByteOffset: 2 * block, as: UInt16.self)
            block += 1
        }
    }
}
