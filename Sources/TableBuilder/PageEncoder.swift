import CUnwindTable
import CallFrameInfo
import Glibc
import UnwindTable

/// Encodes each page as a record of the first kind that can hold it: uniform, sparse, dense, quarters.
///
/// Records contain the chunk's rule numbers. `PageFinisher` replaces them with the table's once those are known. Sparse
/// and dense records always have a palette here, so that no record grows then.
struct PageEncoder: ~Copyable {
    /// The records, from `origin` on.
    private(set) var records = GrowableBuffer<UInt8>()
    /// Offset of the first record.
    private var origin = 0
    /// By rule number: the number of rows with the rule, in all pages.
    let uses: UnsafeMutablePointer<UInt32>
    /// By rule number: the palette slot in the current page, as page stamp << 16 | slot.
    private let slots: UnsafeMutablePointer<UInt32>
    private var stamp: UInt32 = 0
    private let palette: UnsafeMutablePointer<UInt16>
    /// By row of the current page: the rule's slot in the palette.
    private var codes = GrowableBuffer<UInt8>()
    /// By block of a dense page: the number of rows up to the block's end.
    private let ends: UnsafeMutablePointer<UInt16>

    init() {
        // From calloc, so that the system zeroes memory on first touch. Only the part for existing rules is touched.
        uses = Self.zeroed(Int(CFIC_RULES_MAX))
        slots = Self.zeroed(Int(CFIC_RULES_MAX))
        palette = Self.zeroed(Int(CFIC_PALETTE_MAX))
        ends = Self.zeroed(Int(CFIC_PAGE_BLOCKS))
    }

    deinit {
        free(uses)
        free(slots)
        free(palette)
        free(ends)
    }

    private static func zeroed<Number: FixedWidthInteger & BitwiseCopyable>(
        _ count: Int
    ) -> UnsafeMutablePointer<Number> {
        guard let memory = calloc(count, MemoryLayout<Number>.stride) else { fatalError("out of memory") }
        return memory.bindMemory(to: Number.self, capacity: count)
    }

    /// Starts a new chunk. Records go to the encoder's own memory, unless `exchangeRecords` follows.
    ///
    /// - Parameter ruleCount: the number of rules of the previous chunk, whose `uses` are reset.
    mutating func begin(ruleCount: Int) {
        uses.update(repeating: 0, count: ruleCount)
        records.removeAll()
        origin = 0
    }

    /// Swaps `output` with the encoder's own memory. Records are then appended to the contents of `output`. A second
    /// call swaps back.
    mutating func exchangeRecords(with output: inout GrowableBuffer<UInt8>) {
        swap(&records, &output)
        origin = records.count
    }

    /// Size of the records in bytes.
    var recordBytes: Int { records.count - origin }

    /// Replaces the chunk's rule numbers in all records and directory entries with the table's, and moves the records
    /// to offset `start`.
    mutating func finish(_ pages: UnsafeMutableBufferPointer<EncodedPage>, final: [UInt16], start: Int) {
        if start > origin { moveRecords(to: start) }
        final.withUnsafeBufferPointer { final in
            var finisher = PageFinisher(records: records.elements, from: origin, to: start, final: final)
            for index in pages.indices { pages[index].entry = finisher.finish(pages[index].entry) }
            records.setCount(finisher.end)
        }
    }

    private mutating func moveRecords(to start: Int) {
        let size = records.count - origin
        records.reserveCapacity(start + size)
        records.setCount(start + size)
        let bytes = UnsafeMutableRawBufferPointer(records.elements)
        UnsafeMutableRawBufferPointer(rebasing: bytes[start...])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[origin..<origin + size]))
        origin = start
    }

    /// Encodes one page's rows, the first of which is at unit 0. Returns the directory entry, in which record offsets
    /// count from the chunk's first record.
    mutating func encode(_ rows: UnsafeBufferPointer<UInt32>) -> UInt32 {
        if rows.count == 1 {
            uses[Int(rows[0] & 0xffff)] &+= 1
            return (rows[0] & 0xffff) << UInt32(CFIC_PAGE_KIND_BITS)
        }
        guard let paletteCount = readRules(rows) else { return encodeQuarters(rows) }
        if rows.count <= CFIC_SPARSE_MAX { return encodeSparse(rows, paletteCount) }
        return encodeDense(rows, paletteCount) ?? encodeQuarters(rows)
    }

    private func entry(_ kind: TableView.PageKind, at offset: Int) -> UInt32 {
        // Offsets that don't fit are never used: `ArchitectureBuilder.write` rejects 4 GiB and more of records.
        let place = UInt32(truncatingIfNeeded: (offset - origin) / Int(CFIC_RECORD_ALIGN))
        return place << UInt32(CFIC_PAGE_KIND_BITS) | kind.rawValue
    }

    /// Appends an uninitialised record of `size` bytes, padded with zeros to its alignment, and returns its address.
    private mutating func open(_ size: Int) -> UnsafeMutableRawPointer {
        let start = records.count
        let aligned = (size + Int(CFIC_RECORD_ALIGN) - 1) & ~(Int(CFIC_RECORD_ALIGN) - 1)
        records.reserveCapacity(start + aligned)
        records.setCount(start + aligned)
        // Not nil: space for at least one record was reserved.
        let place = UnsafeMutableRawPointer(records.elements.baseAddress.unsafelyUnwrapped + start)
        for padding in size..<aligned { place.storeBytes(of: 0, toByteOffset: padding, as: UInt8.self) }
        return place
    }

    /// Counts the rows' rules, collects them in the palette and sets each row's code. Returns the size of the palette,
    /// or nil if the page has more than 256 rules.
    private mutating func readRules(_ rows: UnsafeBufferPointer<UInt32>) -> Int? {
        stamp &+= 1
        if stamp == 1 << 16 {
            slots.update(repeating: 0, count: Int(CFIC_RULES_MAX))
            stamp = 1
        }
        codes.reserveCapacity(rows.count)
        codes.setCount(rows.count)
        // Local copies, which nothing else can change, so that the loop keeps them in registers.
        let (uses, slots, palette, stamp) = (uses, slots, palette, stamp &<< 16)
        guard let rules = rows.baseAddress, let codes = codes.elements.baseAddress else { return 0 }
        var count: UInt32 = 0
        var isTooSmall = false
        // Not a `for` loop, whose counter is checked for overflow.
        var position = -1
        while position &+ 1 < rows.count {
            position &+= 1
            let rule = Int(rules[position] & 0xffff)
            uses[rule] &+= 1
            // If the stamp is this page's, the difference is the slot, which is below 2^16.
            var slot = slots[rule] &- stamp
            if slot >= 1 &<< 16 {
                if count == CFIC_PALETTE_MAX {
                    isTooSmall = true
                    continue
                }
                slot = count
                slots[rule] = stamp &+ slot
                palette[Int(count)] = UInt16(truncatingIfNeeded: rule)
                count &+= 1
            }
            codes[position] = UInt8(truncatingIfNeeded: slot)
        }
        return isTooSmall ? nil : Int(count)
    }

    // MARK: Records

    private mutating func encodeSparse(_ rows: UnsafeBufferPointer<UInt32>, _ paletteCount: Int) -> UInt32 {
        let start = records.count
        let head = MemoryLayout<cfic_sparse>.size
        let record = open(head + 2 * paletteCount + 3 * rows.count)
        record.storeBytes(
            of: cfic_sparse(row_count: UInt16(rows.count), palette_count: UInt16(paletteCount)),
            as: cfic_sparse.self)
        (record + head).copyMemory(from: palette, byteCount: 2 * paletteCount)
        // Aligned: records start at multiples of 4, and their heads and palettes consist of 16-bit numbers.
        let units = (record + head + 2 * paletteCount).assumingMemoryBound(to: UInt16.self)
        for position in 0..<rows.count { units[position] = UInt16(truncatingIfNeeded: rows[position] &>> 16) }
        let codes = UnsafeRawBufferPointer(codes.elements)
        UnsafeMutableRawBufferPointer(start: units + rows.count, count: codes.count).copyMemory(from: codes)
        return entry(.sparse, at: start)
    }

    /// Returns nil, with `records` unchanged, if the page needs quarters.
    private mutating func encodeDense(_ rows: UnsafeBufferPointer<UInt32>, _ paletteCount: Int) -> UInt32? {
        let start = records.count
        let head = MemoryLayout<cfic_dense>.size
        let size = head + 2 * paletteCount + 2 * rows.count
        guard size <= CFIC_RECORD_MAX else { return nil }
        let record = open(size)
        guard writeIndex(rows, to: record, paletteCount: paletteCount) else {
            records.setCount(start)
            return nil
        }
        (record + head).copyMemory(from: palette, byteCount: 2 * paletteCount)
        let written = (record + head + 2 * paletteCount).assumingMemoryBound(to: UInt16.self)
        // Not nil: there is a code for each row.
        let codes = codes.elements.baseAddress.unsafelyUnwrapped
        for position in 0..<rows.count {
            let unit = UInt16(truncatingIfNeeded: rows[position] &>> 16) & 0xff
            written[position] = unit | UInt16(truncatingIfNeeded: codes[position]) &<< 8
        }
        return entry(.dense, at: start)
    }

    /// Writes a dense record's head. Returns false if a block starts 256 or more rows after the start of its group.
    private func writeIndex(
        _ rows: UnsafeBufferPointer<UInt32>, to record: UnsafeMutableRawPointer, paletteCount: Int
    ) -> Bool {
        let blocks = Int(CFIC_PAGE_BLOCKS)
        ends.update(repeating: 0, count: blocks)
        // The last row of a block wins. Blocks without rows keep 0; `max` below makes them end where their predecessor
        // does.
        for position in 0..<rows.count {
            ends[Int(rows[position] &>> 24)] = UInt16(truncatingIfNeeded: position &+ 1)
        }
        var head = cfic_dense()
        head.row_count = UInt16(rows.count)
        head.palette_count = UInt16(paletteCount)
        record.storeBytes(of: head, as: cfic_dense.self)
        // row_count and palette_count precede the bases; a byte of padding follows the starts.
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

    private mutating func encodeQuarters(_ rows: UnsafeBufferPointer<UInt32>) -> UInt32 {
        let start = records.count
        _ = open(MemoryLayout<cfic_quarters>.size)
        var places: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
        var first = 0
        for quarter in 0..<4 {
            let limit = UInt64(quarter + 1) * UInt64(CFIC_QUARTER_UNITS)
            var end = first
            while end < rows.count, UInt64(rows[end] >> 16) < limit { end += 1 }
            let place = UInt32(truncatingIfNeeded: (records.count - origin) / Int(CFIC_RECORD_ALIGN))
            encodeQuarter(rows, first..<end, at: UInt32(quarter) * UInt32(CFIC_QUARTER_UNITS))
            withUnsafeMutableBytes(of: &places) { $0.storeBytes(of: place, toByteOffset: 4 * quarter, as: UInt32.self) }
            first = end
        }
        UnsafeMutableRawPointer(records.elements.baseAddress.unsafelyUnwrapped + start)
            .storeBytes(of: cfic_quarters(quarter: places), as: cfic_quarters.self)
        return entry(.quarters, at: start)
    }

    /// Encodes a quarter's rows. If none is at its first unit, adds one with the rule of the preceding row.
    private mutating func encodeQuarter(
        _ rows: UnsafeBufferPointer<UInt32>, _ range: Range<Int>, at beginning: UInt32
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
            // Only later quarters can lack a row at their first unit, because the page's first row is at unit 0.
            let unit = position == 0 ? 0 : (rows[index] >> 16) - beginning
            rules.storeBytes(of: UInt16(truncatingIfNeeded: rows[index]), toByteOffset: 2 * position, as: UInt16.self)
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
