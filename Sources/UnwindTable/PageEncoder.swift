import CUnwindTable
import CallFrameInfo

/// Encodes drafted pages as records, in the smallest of the record kinds that holds each.
struct PageEncoder: ~Copyable {
    private(set) var records = GrowableBuffer<UInt8>()
    /// Palette slot of a rule in the current page: page stamp << 16 | slot.
    private let slots: UnsafeMutablePointer<UInt32>
    private var stamp: UInt32 = 0
    private let palette: UnsafeMutablePointer<UInt16>

    init() {
        slots = .allocate(capacity: Int(CFIC_RULES_MAX))
        slots.initialize(repeating: 0, count: Int(CFIC_RULES_MAX))
        palette = .allocate(capacity: Int(CFIC_PALETTE_MAX))
        palette.initialize(repeating: 0, count: Int(CFIC_PALETTE_MAX))
    }

    deinit {
        slots.deallocate()
        palette.deallocate()
    }

    mutating func removeAll() { records.removeAll() }
    mutating func discard() { records.discard() }

    /// Encodes one page's rows, whose first is at unit 0, and returns the directory entry for records that
    /// start at offset 0.
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
        UInt32(truncatingIfNeeded: offset / Int(CFIC_RECORD_ALIGN)) << UInt32(CFIC_PAGE_KIND_BITS) | kind.rawValue
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

    // MARK: Palette

    /// Writes the rows' palette indices; returns the palette's size, or nil when 256 entries are too few.
    ///
    /// With all rule numbers below 256 they are written themselves and there is no palette.
    @inline(__always)
    private mutating func paletteSize(
        _ rows: UnsafeBufferPointer<UInt32>, _ final: UnsafeBufferPointer<UInt16>
    ) -> Int? {
        var highest: UInt16 = 0
        for row in rows { highest = max(highest, final[Int(row & 0xffff)]) }
        if highest < CFIC_PALETTE_MAX { return 0 }
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

    @inline(__always)
    private func writePalette(_ count: Int, to place: UnsafeMutableRawPointer) {
        for slot in 0..<count { place.storeBytes(of: palette[slot], toByteOffset: 2 * slot, as: UInt16.self) }
    }

    @inline(__always)
    private func code(_ row: UInt32, _ final: UnsafeBufferPointer<UInt16>, hasPalette: Bool) -> UInt8 {
        let rule = final[Int(row & 0xffff)]
        return UInt8(truncatingIfNeeded: hasPalette ? slots[Int(rule)] : UInt32(rule))
    }

    // MARK: Records

    private mutating func encodeSparse(
        _ rows: UnsafeBufferPointer<UInt32>, _ final: UnsafeBufferPointer<UInt16>
    ) -> UInt32 {
        let start = records.count
        // 256 rows have at most 256 rules.
        let paletteCount = paletteSize(rows, final) ?? 0
        let size = MemoryLayout<cfic_sparse>.size + 2 * paletteCount + 3 * rows.count
        let record = open(size)
        record.storeBytes(
            of: cfic_sparse(row_count: UInt16(rows.count), palette_count: UInt16(paletteCount)),
            as: cfic_sparse.self)
        let paletteStart = record + MemoryLayout<cfic_sparse>.size
        writePalette(paletteCount, to: paletteStart)
        let units = paletteStart + 2 * paletteCount
        let rules = units + 2 * rows.count
        for position in rows.indices {
            units.storeBytes(
                of: UInt16(truncatingIfNeeded: rows[position] &>> 16), toByteOffset: 2 &* position, as: UInt16.self)
            rules.storeBytes(
                of: code(rows[position], final, hasPalette: paletteCount > 0), toByteOffset: position, as: UInt8.self)
        }
        return entry(CFIC_PAGE_SPARSE, at: start)
    }

    /// Returns nil, leaving nothing behind, when the page needs quarters.
    private mutating func encodeDense(
        _ rows: UnsafeBufferPointer<UInt32>, _ final: UnsafeBufferPointer<UInt16>
    ) -> UInt32? {
        let start = records.count
        guard let paletteCount = paletteSize(rows, final) else { return nil }
        let size = MemoryLayout<cfic_dense>.size + 2 * paletteCount + 2 * rows.count
        guard size <= CFIC_RECORD_MAX else { return nil }
        let record = open(size)
        guard writeIndex(rows, to: record, paletteCount: paletteCount) else {
            records.setCount(start)
            return nil
        }
        let paletteStart = record + MemoryLayout<cfic_dense>.size
        writePalette(paletteCount, to: paletteStart)
        let units = paletteStart + 2 * paletteCount
        let rules = units + rows.count
        if paletteCount == 0 {
            writeRows(rows, final, units, rules, hasPalette: false)
        } else {
            writeRows(rows, final, units, rules, hasPalette: true)
        }
        return entry(CFIC_PAGE_DENSE, at: start)
    }

    @inline(__always)
    private func writeRows(
        _ rows: UnsafeBufferPointer<UInt32>, _ final: UnsafeBufferPointer<UInt16>,
        _ units: UnsafeMutableRawPointer, _ rules: UnsafeMutableRawPointer, hasPalette: Bool
    ) {
        for position in 0..<rows.count {
            let row = rows[position]
            units.storeBytes(of: UInt8(truncatingIfNeeded: row &>> 16), toByteOffset: position, as: UInt8.self)
            rules.storeBytes(
                of: code(row, final, hasPalette: hasPalette), toByteOffset: position, as: UInt8.self)
        }
    }

    /// Writes a dense record's head; false when a block starts 256 or more rows behind its group.
    @inline(__always)
    private func writeIndex(
        _ rows: UnsafeBufferPointer<UInt32>, to record: UnsafeMutableRawPointer, paletteCount: Int
    ) -> Bool {
        var head = cfic_dense()
        head.row_count = UInt16(rows.count)
        head.palette_count = UInt16(paletteCount)
        record.storeBytes(of: head, as: cfic_dense.self)
        // row_count and palette_count stand before the bases, the starts before a byte of padding.
        let bases = record + 4
        let starts = bases + 2 * (Int(CFIC_GROUPS) + 1)
        var block = 0
        var base = 0
        func begin(_ block: Int, at row: Int) -> Bool {
            if block & (1 << Int(CFIC_GROUP_BITS) - 1) == 0 {
                base = row
                bases.storeBytes(of: UInt16(row), toByteOffset: 2 * (block >> Int(CFIC_GROUP_BITS)), as: UInt16.self)
            }
            starts.storeBytes(of: UInt8(truncatingIfNeeded: row - base), toByteOffset: block, as: UInt8.self)
            return row - base < 256
        }
        for position in 0..<rows.count {
            let target = Int(rows[position] &>> 24)
            while block <= target {
                if !begin(block, at: position) { return false }
                block += 1
            }
        }
        while block <= CFIC_PAGE_BLOCKS {
            if !begin(block, at: rows.count) { return false }
            block += 1
        }
        return true
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
            let place = UInt32(truncatingIfNeeded: records.count / Int(CFIC_RECORD_ALIGN))
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
