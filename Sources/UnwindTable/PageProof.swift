import CUnwindTable

/// Proves the directory and all records that it refers to.
struct PageProof {
    private let view: TableView
    private let pages: UnsafeRawBufferPointer
    private let ruleCount: Int
    /// End of the last proved record. Later records must start at or after it.
    private var end = 0

    init(_ view: TableView) {
        self.view = view
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
        TableDefect(
            section: "directory", offset: view.offset(of: CFIC_SECTION_DIRECTORY, 4 * entry), problem: problem)
    }

    private func defect(_ record: Int, _ problem: String) -> TableDefect {
        TableDefect(section: "pages", offset: view.offset(of: CFIC_SECTION_PAGES, record), problem: problem)
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
        let rowCount = Int(record.row_count)
        let paletteCount = Int(record.palette_count)
        guard (1...Int(CFIC_SPARSE_MAX)).contains(rowCount) else {
            throw defect(start, "sparse record has no rows or more than 256")
        }
        let paletteStart = start + MemoryLayout<cfic_sparse>.size
        let unitStart = paletteStart + 2 * paletteCount
        try close(start, size: unitStart + 3 * rowCount - start)
        let highest = highest(unitStart + 2 * rowCount, rowCount, of: UInt8.self)
        try checkRules(highest: highest, paletteStart, paletteCount, record: start)
        let units = elements(unitStart, rowCount, of: UInt16.self)
        guard units[0] == 0 else { throw defect(start, "record has no row at unit 0") }
        guard Self.dropCount(units, units: .max) == 0 else { throw defect(start, "units do not increase") }
    }

    private mutating func checkDense(_ start: Int) throws(TableDefect) {
        let index = elements(start, 2 + Int(CFIC_GROUPS) + 1, of: UInt16.self)
        let rowCount = Int(index[0])
        let paletteCount = Int(index[1])
        let paletteStart = start + MemoryLayout<cfic_dense>.size
        let rowStart = paletteStart + 2 * paletteCount
        try close(start, size: rowStart + 2 * rowCount - start)
        guard pages[paletteStart - 1] == 0 else { throw defect(start, "reserved byte is not zero") }
        // A row's low byte is the unit in its block, its high byte the rule.
        let rows = elements(rowStart, rowCount, of: UInt16.self)
        let highest = highest(rowStart, rowCount, of: UInt16.self) &>> 8
        try checkRules(highest: highest, paletteStart, paletteCount, record: start)
        let starts = elements(start + 2 * index.count, Int(CFIC_PAGE_BLOCKS) + 1, of: UInt8.self)
        let problem = Self.blockProblem(rows, units: 0xff, blocks: Int(CFIC_PAGE_BLOCKS)) {
            Int(index[2 + $0 &>> Int(CFIC_GROUP_BITS)]) &+ Int(starts[$0])
        }
        if let problem { throw defect(start, problem) }
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
        let problem = Self.blockProblem(units, units: 0xff, blocks: Int(CFIC_QUARTER_BLOCKS)) { Int(index[1 + $0]) }
        if let problem { throw defect(start, problem) }
    }

    // MARK: Rows

    /// Proves a palette, and the rules of a record's rows, of which `highest` is the highest: palette indices, or rule
    /// numbers if there is no palette.
    private func checkRules(
        highest: Int, _ paletteStart: Int, _ paletteCount: Int, record: Int
    ) throws(TableDefect) {
        guard paletteCount <= CFIC_PALETTE_MAX else { throw defect(record, "palette has more than 256 entries") }
        guard paletteCount == 0 || self.highest(paletteStart, paletteCount, of: UInt16.self) < ruleCount else {
            throw defect(record, "palette entry is not below the number of rules")
        }
        guard highest < (paletteCount == 0 ? ruleCount : paletteCount) else {
            throw defect(
                record,
                paletteCount == 0
                    ? "rule number is not below the number of rules" : "palette index is outside the palette")
        }
    }

    /// The defect of a record's block index or of its units; nil if there is none.
    ///
    /// `start(b)` is the index of block b's first row, and `rows[i] & mask` row i's unit in its block. To be proved: in
    /// each block the units increase strictly. Going from block to block would take several times as long as this:
    ///
    /// 1. `start` is 0 for the first block, doesn't decrease, and is the number of rows after the last block. So each
    ///    row is in exactly one block.
    /// 2. Call a row a *drop* if its unit is not above that of the row before it. Units increase strictly in each block
    ///    if and only if every drop is the first row of its block.
    /// 3. The drops that are first rows are some of all drops. So every drop is a first row if and only if there are as
    ///    many drops among first rows as among all rows.
    ///
    /// Counting the drops of all rows has no branches and is vectorised; the loop over blocks needs only a look at each
    /// first row. It follows that a block has at most 256 rows, because its units have 8 bits.
    @inline(__always)
    private static func blockProblem<Row: FixedWidthInteger>(
        _ rows: UnsafeBufferPointer<Row>, units mask: Row, blocks: Int, start: (Int) -> Int
    ) -> String? {
        guard start(0) == 0, start(blocks) == rows.count else { return "block index does not hold all rows" }
        guard start(1) > 0, !rows.isEmpty, rows[0] & mask == 0 else { return "record has no row at unit 0" }
        var dropsAtStarts = 0
        var first = start(1)
        for block in 1..<blocks {
            let end = start(block &+ 1)
            guard first <= end, end <= rows.count else { return "block index decreases or points outside the rows" }
            // Block 0 has a row, so `first` is at least 1. It is `rows.count` if this block and all later ones are
            // empty. An empty block doesn't count; `&` avoids a branch that would be mispredicted.
            let isDrop = rows[min(first, rows.count &- 1)] & mask <= rows[first &- 1] & mask
            dropsAtStarts &+= (isDrop ? 1 : 0) & (first < end ? 1 : 0)
            first = end
        }
        return Int(dropCount(rows, units: mask)) == dropsAtStarts ? nil : "units do not increase in their block"
    }

    /// The number of rows whose unit is not above that of the row before.
    @inline(__always)
    private static func dropCount<Row: FixedWidthInteger>(
        _ rows: UnsafeBufferPointer<Row>, units mask: Row
    ) -> UInt16 {
        // A record has at most 65,535 rows, so the count fits.
        var count: UInt16 = 0
        guard rows.count > 1 else { return 0 }
        for position in 1..<rows.count {
            count &+= rows[position] & mask <= rows[position &- 1] & mask ? 1 : 0
        }
        return count
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
