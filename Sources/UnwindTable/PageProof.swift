import CUnwindTable

/// Proves the directory and all records that it refers to.
struct PageProof {
    private let view: TableView
    private let pages: UnsafeRawBufferPointer
    private let ruleCount: Int
    /// Of the record at hand.
    private var reaches: CodeReaches
    /// End of the last proved record. Later records must start at or after it.
    private var end = 0

    init(_ view: TableView, _ reaches: SymbolReaches) {
        self.view = view
        self.reaches = CodeReaches(reaches)
        pages = view.pages
        ruleCount = view.rules.count
    }

    mutating func check() throws(TableDefect) {
        for index in view.directory.indices {
            let entry = view.directory[index]
            let (kind, place) = TableView.split(entry)
            switch kind {
            case .uniform:
                guard place < ruleCount else {
                    throw defect(entry: index, "rule number is not below the number of rules")
                }
            case .sparse: try checkSparse(try open(place, index, head: MemoryLayout<cfic_sparse>.size))
            case .dense: try checkDense(try open(place, index, head: MemoryLayout<cfic_dense>.size))
            case .quarters: try checkQuarters(place, index)
            }
        }
    }

    private func defect(entry: Int, _ problem: String) -> TableDefect {
        TableDefect(section: "directory", offset: view.offset(of: CFIC_SECTION_DIRECTORY, entry), problem: problem)
    }

    private func defect(_ record: Int, _ problem: String) -> TableDefect {
        TableDefect(
            section: "pages", offset: view.offset(of: CFIC_SECTION_PAGES, 0) + record, problem: problem)
    }

    // MARK: Bounds

    /// The offset of a record in `pages`. Proves that its first `head` bytes are within `pages`.
    private func open(_ place: UInt32, _ entry: Int, head: Int) throws(TableDefect) -> Int {
        let start = Int(place) * Int(CFIC_RECORD_ALIGN)
        guard start >= end else { throw defect(entry: entry, "record does not follow those of earlier pages") }
        guard start <= pages.count - head else { throw defect(entry: entry, "record lies outside the pages") }
        return start
    }

    /// Ends a record of `size` bytes. Proves that all of them are within `pages`.
    private mutating func close(_ start: Int, size: Int) throws(TableDefect) {
        guard size <= CFIC_RECORD_MAX else { throw defect(start, "record is larger than 65,536 bytes") }
        guard size <= pages.count - start else { throw defect(start, "record ends outside the pages") }
        end = start + size
    }

    // MARK: Records

    private mutating func checkSparse(_ start: Int) throws(TableDefect) {
        let record = pages.load(fromByteOffset: start, as: cfic_sparse.self)
        let (itemCount, paletteCount) = (Int(record.item_count), Int(record.palette_count))
        guard (1...Int(CFIC_SPARSE_MAX)).contains(itemCount) else {
            throw defect(start, "sparse record has no items or more than 256")
        }
        guard record.reserved == 0 else { throw defect(start, "reserved byte is not zero") }
        let paletteStart = start + MemoryLayout<cfic_sparse>.size
        let unitStart = paletteStart + 2 * paletteCount
        try close(start, size: unitStart + 3 * itemCount - start)
        try usePalette(paletteStart, paletteCount, record: start)
        let units = elements(unitStart, itemCount, of: UInt16.self)
        let codes = elements(unitStart + 2 * itemCount, itemCount, of: UInt8.self)
        try checkCodes(codes, paletteCount, record: start) { Int($0) }
        guard units[0] == 0 else { throw defect(start, "record has no item at unit 0") }
        var last = -1
        for item in 0..<itemCount {
            let unit = Int(units[item])
            guard unit > last else { throw defect(start, "items do not increase, or overlap") }
            last = unit + Int(reaches.ofCodes[Int(codes[item])])
            guard last >> Int(CFIC_BLOCK_BITS) == unit >> Int(CFIC_BLOCK_BITS) else {
                throw defect(start, "template extends beyond its block")
            }
        }
    }

    private mutating func checkDense(_ start: Int) throws(TableDefect) {
        let record = pages.load(fromByteOffset: start, as: cfic_dense.self)
        guard let index = DenseIndex(record) else { throw defect(start, "unknown kind of block index") }
        let indexStart = start + MemoryLayout<cfic_dense>.size
        let paletteStart = indexStart + index.size + MemoryLayout<UInt16>.size
        guard paletteStart <= pages.count else { throw defect(start, "record ends outside the pages") }
        let itemCount = Int(pages.load(fromByteOffset: indexStart + index.size, as: UInt16.self))
        guard (1...Int(CFIC_DENSE_MAX)).contains(itemCount) else {
            throw defect(start, "dense record has no items or more than 32,767")
        }
        let paletteCount = Int(record.palette_count)
        let itemStart = paletteStart + 2 * paletteCount
        try close(start, size: itemStart + 2 * itemCount - start)
        try usePalette(paletteStart, paletteCount, record: start)
        // An item's low byte is its unit, its high byte the code.
        let items = elements(itemStart, itemCount, of: UInt16.self)
        try checkCodes(items, paletteCount, record: start) { Int($0 >> 8) }
        // `pages` is not empty, because it has this record.
        let groups = pages.baseAddress.unsafelyUnwrapped + indexStart
        let problem = reaches.ofCodes.withUnsafeBufferPointer { reaches in
            let blocks = BlockProof(
                count: itemCount, blocks: index.blocks, bits: index.bits, limit: Int(CFIC_BLOCK_MAX))
            let items = BlockProof.Items(units: items, reaches: reaches)
            return index.isNibbles
                ? blocks.problem(items) { index.nibblesEnd(groups, $0, $1) }
                : blocks.problem(items) { block, _ in index.end(groups, block) }
        }
        if let problem { throw defect(start, problem) }
        guard index.isNibbles || DenseIndex.base(groups, 0) == 0 else {
            throw defect(start, "block index does not begin with the first item")
        }
    }

    private mutating func checkQuarters(_ place: UInt32, _ entry: Int) throws(TableDefect) {
        let size = MemoryLayout<cfic_quarters>.size
        let start = try open(place, entry, head: size)
        try close(start, size: size)
        for quarter in 0..<4 {
            let place = pages.load(fromByteOffset: start + 4 * quarter, as: UInt32.self)
            try checkQuarter(try open(place, entry, head: MemoryLayout<cfic_quarter>.size))
        }
    }

    private mutating func checkQuarter(_ start: Int) throws(TableDefect) {
        let index = elements(start, 1 + Int(CFIC_QUARTER_BLOCKS) + 1, of: UInt16.self)
        let rowCount = Int(index[0])
        guard rowCount <= CFIC_QUARTER_UNITS else { throw defect(start, "quarter has more than 16,384 rows") }
        let ruleStart = start + MemoryLayout<cfic_quarter>.size
        let unitStart = ruleStart + 2 * rowCount
        try close(start, size: unitStart + rowCount - start)
        guard highest(ruleStart, rowCount, of: UInt16.self) < ruleCount else {
            throw defect(start, "rule number is not below the number of rules")
        }
        let units = elements(unitStart, rowCount, of: UInt8.self)
        guard rowCount > 0, index[1] == 0 else { throw defect(start, "block index does not begin with the first row") }
        let blocks = BlockProof(
            count: rowCount, blocks: Int(CFIC_QUARTER_BLOCKS), bits: Int(CFIC_BLOCK_BITS),
            limit: Int(CFIC_BLOCK_UNITS))
        let problem = blocks.problem(BlockProof.Rows(units: units)) { block, _ in Int(index[2 &+ block]) }
        if let problem { throw defect(start, problem) }
    }

    // MARK: Symbols

    /// Proves a palette, and makes it the one of the record at hand.
    private mutating func usePalette(_ start: Int, _ count: Int, record: Int) throws(TableDefect) {
        guard count == 0 || highest(start, count, of: UInt16.self) < reaches.symbols.count else {
            throw defect(record, "palette entry is not below the number of symbols")
        }
        reaches.use(elements(start, count, of: UInt16.self))
    }

    /// Proves that codes that aren't palette entries are symbols.
    @inline(__always)
    private func checkCodes<Item>(
        _ items: UnsafeBufferPointer<Item>, _ paletteCount: Int, record: Int, code: (Item) -> Int
    ) throws(TableDefect) {
        let codes = 256 - paletteCount
        guard reaches.symbols.count < codes else { return }
        for item in items where (reaches.symbols.count..<codes).contains(code(item)) {
            throw defect(record, "code has no symbol")
        }
    }

    /// The highest of some numbers; 0 if there are none.
    @inline(__always)
    private func highest<Number: FixedWidthInteger>(_ start: Int, _ count: Int, of type: Number.Type) -> Int {
        var highest: Number = 0
        for number in elements(start, count, of: type) { highest = max(highest, number) }
        return Int(highest)
    }

    /// Numbers in a record whose bounds were proved. They are aligned: records are at multiples of 4, and their 16-bit
    /// fields at even offsets.
    @inline(__always)
    private func elements<Number>(_ start: Int, _ count: Int, of type: Number.Type) -> UnsafeBufferPointer<Number> {
        UnsafeRawBufferPointer(rebasing: pages[start..<start + count * MemoryLayout<Number>.size])
            .assumingMemoryBound(to: type)
    }
}
