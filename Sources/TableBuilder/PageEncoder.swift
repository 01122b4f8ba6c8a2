import CUnwindTable
import CallFrameInfo
import Glibc
import UnwindTable

/// Encodes each page with more than one row as the smallest record that can hold it: sparse or dense, else quarters.
struct PageEncoder: ~Copyable {
    /// The records, from `origin` on.
    private(set) var records = GrowableBuffer<UInt8>()
    /// Offset of the first record.
    private(set) var origin = 0
    /// By symbol: the number of items of the current page; otherwise 0.
    let counts: UnsafeMutablePointer<UInt32>
    /// The symbols that the current page has, each once.
    var used = GrowableBuffer<UInt16>()
    /// By symbol: its code in the current record, if it isn't the symbol itself.
    let codes: UnsafeMutablePointer<UInt8>
    var palette = GrowableBuffer<UInt16>()
    private var index = BlockIndex()
    /// The current page's rows (unit << 16 | rule number), or its items, if they are not those that were given.
    let rows: UnsafeMutablePointer<UInt32>
    let withoutRare: UnsafeMutablePointer<UInt32>
    private let inSmallerBlocks: UnsafeMutablePointer<UInt32>
    /// For `TemplateTrie.parse`; not read.
    private let uses: UnsafeMutablePointer<UInt32>

    init() {
        // From calloc, so that the system zeroes memory on first touch. Only the part for existing symbols is touched.
        counts = Self.zeroed(Int(CFIC_RULES_MAX))
        codes = Self.zeroed(Int(CFIC_RULES_MAX))
        rows = Self.zeroed(Int(CFIC_PAGE_UNITS))
        withoutRare = Self.zeroed(Int(CFIC_PAGE_UNITS))
        inSmallerBlocks = Self.zeroed(Int(CFIC_PAGE_UNITS))
        uses = Self.zeroed(Int(CFIC_RULES_MAX))
    }

    deinit {
        free(counts)
        free(codes)
        free(rows)
        free(withoutRare)
        free(inSmallerBlocks)
        free(uses)
    }

    static func zeroed<Number: FixedWidthInteger & BitwiseCopyable>(_ count: Int) -> UnsafeMutablePointer<Number> {
        guard let memory = calloc(count, MemoryLayout<Number>.stride) else { fatalError("out of memory") }
        return memory.bindMemory(to: Number.self, capacity: count)
    }

    /// Starts a new chunk. Records go to the encoder's own memory, unless `exchangeRecords` follows.
    mutating func begin() {
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

    /// Encodes one page's items (unit << 16 | trained symbol), the first of which is at unit 0. Returns the directory
    /// entry, in which record offsets count from the chunk's first record. Changes the items.
    mutating func encode(
        _ items: UnsafeMutableBufferPointer<UInt32>, _ symbols: borrowing SymbolNumbering
    ) -> UInt32 {
        symbols.renumber(items)
        return encode(UnsafeBufferPointer(items), blockBits: UInt32(CFIC_BLOCK_BITS), symbols)
    }

    /// Encodes items (unit << 16 | symbol), whose templates lie in blocks of 2^blockBits units.
    private mutating func encode(
        _ given: UnsafeBufferPointer<UInt32>, blockBits: UInt32, _ symbols: borrowing SymbolNumbering
    ) -> UInt32 {
        var items = given
        count(items)
        defer { resetCounts() }
        if used.count > CFIC_PALETTE_MAX {
            let count = writeOutRareTemplates(items, symbols)
            items = UnsafeBufferPointer(start: withoutRare, count: count)
        }
        guard used.count <= CFIC_PALETTE_MAX else { return encodeQuarters(expand(items, symbols)) }
        let isIndexed = index.count(items, blockBits: blockBits)
        makePalette()
        let sparse = MemoryLayout<cfic_sparse>.size + 2 * palette.count + 3 * items.count
        let dense = MemoryLayout<cfic_dense>.size + index.size + 2 + 2 * (palette.count + items.count)
        let isSparse = items.count <= CFIC_SPARSE_MAX && (!isIndexed || sparse <= dense)
        if isSparse { return encodeSparse(items, size: sparse) }
        if isIndexed, dense <= CFIC_RECORD_MAX, items.count <= CFIC_DENSE_MAX { return encodeDense(items, size: dense) }
        let rows = expand(items, symbols)
        guard !isIndexed, blockBits > CFIC_DENSE_BLOCK_BITS_MIN else { return encodeQuarters(rows) }
        resetCounts()
        return encodeInSmallerBlocks(rows, blockBits: blockBits - 1, symbols)
    }

    /// Encodes rows anew whose index would not hold.
    private mutating func encodeInSmallerBlocks(
        _ rows: UnsafeBufferPointer<UInt32>, blockBits: UInt32, _ symbols: borrowing SymbolNumbering
    ) -> UInt32 {
        // Not nil: a page has a row.
        let count = symbols.trie.parse(
            rows.baseAddress.unsafelyUnwrapped, count: rows.count, to: inSmallerBlocks, blockMask: 1 << blockBits - 1,
            uses: uses
        ) { $0 }
        for position in 0..<count {
            let item = inSmallerBlocks[position]
            inSmallerBlocks[position] = item & 0xffff_0000 | UInt32(symbols.symbol(ofUsed: Int(item & 0xffff)))
        }
        return encode(UnsafeBufferPointer(start: inSmallerBlocks, count: count), blockBits: blockBits, symbols)
    }

    func entry(_ kind: TableView.PageKind, at offset: Int) -> UInt32 {
        // Offsets that don't fit are never used: `ArchitectureBuilder.write` rejects 4 GiB and more of records.
        let place = UInt32(truncatingIfNeeded: (offset - origin) / Int(CFIC_RECORD_ALIGN))
        return place << UInt32(CFIC_PAGE_KIND_BITS) | kind.rawValue
    }

    /// Appends an uninitialised record of `size` bytes, padded with zeros to its alignment, and returns its address.
    mutating func open(_ size: Int) -> UnsafeMutableRawPointer {
        let start = records.count
        let aligned = (size + Int(CFIC_RECORD_ALIGN) - 1) & ~(Int(CFIC_RECORD_ALIGN) - 1)
        records.reserveCapacity(start + aligned)
        records.setCount(start + aligned)
        // Not nil: space for at least one record was reserved.
        let place = UnsafeMutableRawPointer(records.elements.baseAddress.unsafelyUnwrapped + start)
        for padding in size..<aligned { place.storeBytes(of: 0, toByteOffset: padding, as: UInt8.self) }
        return place
    }

    // MARK: Records

    private mutating func encodeSparse(_ items: UnsafeBufferPointer<UInt32>, size: Int) -> UInt32 {
        let start = records.count
        let head = MemoryLayout<cfic_sparse>.size
        let record = open(size)
        record.storeBytes(
            of: cfic_sparse(palette_count: UInt8(palette.count), reserved: 0, item_count: UInt16(items.count)),
            as: cfic_sparse.self)
        copyPalette(to: record + head)
        // Aligned: records start at multiples of 4, and their heads and palettes consist of 16-bit numbers.
        let units = (record + head + 2 * palette.count).assumingMemoryBound(to: UInt16.self)
        let codes = UnsafeMutableRawPointer(units + items.count).assumingMemoryBound(to: UInt8.self)
        for position in 0..<items.count {
            units[position] = UInt16(truncatingIfNeeded: items[position] &>> 16)
            codes[position] = self.codes[Int(items[position] & 0xffff)]
        }
        return entry(.sparse, at: start)
    }

    private mutating func encodeDense(_ items: UnsafeBufferPointer<UInt32>, size: Int) -> UInt32 {
        let start = records.count
        let record = open(size)
        record.storeBytes(
            of: cfic_dense(
                palette_count: UInt8(palette.count), index: index.kind, last_unit: UInt16(index.lastUnit)),
            as: cfic_dense.self)
        var place = record + MemoryLayout<cfic_dense>.size
        index.write(to: place)
        place += index.size
        place.storeBytes(of: UInt16(items.count), as: UInt16.self)
        place += 2
        copyPalette(to: place)
        let written = (place + 2 * palette.count).assumingMemoryBound(to: UInt16.self)
        // A local copy, so that the loop keeps it in a register.
        let codes = codes
        for position in 0..<items.count {
            let unit = UInt16(truncatingIfNeeded: items[position] &>> 16) & 0xff
            written[position] = unit | UInt16(codes[Int(items[position] & 0xffff)]) &<< 8
        }
        return entry(.dense, at: start)
    }

    private func copyPalette(to place: UnsafeMutableRawPointer) {
        guard let entries = palette.elements.baseAddress else { return }
        place.copyMemory(from: entries, byteCount: 2 * palette.count)
    }
}
