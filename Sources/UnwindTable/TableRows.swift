import CUnwindTable

extension TableView {
    /// How a page's rows are encoded: docs/table-format.md, "Pages". The raw values are those of `enum cfic_page_kind`.
    public enum PageKind: UInt32, Sendable {
        /// One rule for the whole page, without a record.
        case uniform = 0
        /// Up to 256 rows, which are searched.
        case sparse = 1
        /// Rows with an index of blocks of 256 pc units.
        case dense = 2
        /// Four records, of a quarter page each, for pages with more rows or rules.
        case quarters = 3
    }

    /// A page of a table: 65,536 pc units of code.
    public struct Page: Sendable {
        /// SVMA of its first byte.
        public var address: UInt64
        /// How its rows are encoded.
        public var kind: PageKind
        /// Number of rows, including the one at the page's start; 1 in a uniform page.
        public var rowCount: Int
        /// Number of palette entries; 0 if rows contain rule numbers directly.
        public var paletteCount: Int
        /// Size of its record in bytes without the padding at the end; the sum for quarters; 0 for a uniform page.
        public var recordBytes: Int
    }

    /// Calls `body` with all pages in ascending address order.
    public func forEachPage<Failure>(_ body: (Page) throws(Failure) -> Void) throws(Failure) {
        for range in ranges {
            for page in 0..<Int(range.page_count) {
                let address = (range.start_page + UInt64(page)) << pageShift
                try body(self.page(directory[Int(range.directory_index) + page], at: address))
            }
        }
    }

    private func page(_ entry: UInt32, at address: UInt64) -> Page {
        let (kind, place) = Self.split(entry)
        var page = Page(address: address, kind: kind, rowCount: 1, paletteCount: 0, recordBytes: 0)
        switch kind {
        case .sparse:
            let record = record(place, as: cfic_sparse.self).pointee
            page.rowCount = Int(record.row_count)
            page.paletteCount = Int(record.palette_count)
            page.recordBytes = MemoryLayout<cfic_sparse>.size + 2 * page.paletteCount + 3 * page.rowCount
        case .dense:
            let record = record(place, as: cfic_dense.self)
            page.rowCount = Int(record.pointee.row_count)
            page.paletteCount = Int(record.pointee.palette_count)
            page.recordBytes = MemoryLayout<cfic_dense>.size + 2 * (page.paletteCount + page.rowCount)
        case .quarters:
            page.rowCount = quarters(place).reduce(0) { $0 + Int($1.pointee.row_count) }
            page.recordBytes =
                MemoryLayout<cfic_quarters>.size + 4 * MemoryLayout<cfic_quarter>.size + 3 * page.rowCount
        case .uniform: break
        }
        return page
    }

    // MARK: Rows

    /// Calls `body` with all rows in ascending address order. Adjacent rows have different rules. Addresses in a page's
    /// range without information are rows with rule 0.
    ///
    /// - Parameter body: gets the SVMAs where a rule holds, and the rule's number. A row at the very end of the address
    ///   space is one byte too short, because its end, 2⁶⁴, doesn't fit.
    public func forEachRow<Failure>(_ body: (Range<UInt64>, Int) throws(Failure) -> Void) throws(Failure) {
        for range in ranges {
            let beginning = range.start_page << pageShift
            let pastEnd = (range.start_page + UInt64(range.page_count)) << pageShift
            var start = beginning
            var rule: Int?
            for page in 0..<Int(range.page_count) {
                let address = beginning + UInt64(page) << pageShift
                let entry = directory[Int(range.directory_index) + page]
                try forEachRow(of: entry) { (unit: Int, number: Int) throws(Failure) in
                    guard number != rule else { return }
                    let end = address + UInt64(unit) << UInt64(header.fields.pc_shift)
                    if let rule { try body(start..<end, rule) }
                    start = end
                    rule = number
                }
            }
            // Never nil: a range has at least one page, and a page at least one row.
            if let rule { try body(start..<(pastEnd == 0 ? .max : pastEnd), rule) }
        }
    }

    /// Calls `body` with the unit and the rule number of each row of a page.
    private func forEachRow<Failure>(
        of entry: UInt32, _ body: (Int, Int) throws(Failure) -> Void
    ) throws(Failure) {
        let (kind, place) = Self.split(entry)
        switch kind {
        case .sparse:
            let record = record(place, as: cfic_sparse.self)
            let palette = UnsafeRawPointer(record + 1).assumingMemoryBound(to: UInt16.self)
            let units = palette + Int(record.pointee.palette_count)
            let rules = UnsafeRawPointer(units + Int(record.pointee.row_count)).assumingMemoryBound(to: UInt8.self)
            for row in 0..<Int(record.pointee.row_count) {
                let rule = Int(rules[row])
                try body(Int(units[row]), record.pointee.palette_count == 0 ? rule : Int(palette[rule]))
            }
        case .dense: try forEachRow(of: record(place, as: cfic_dense.self), body)
        case .quarters:
            for (number, quarter) in quarters(place).enumerated() {
                try forEachRow(of: quarter, from: number * Int(CFIC_QUARTER_UNITS), body)
            }
        case .uniform: try body(0, Int(place))
        }
    }

    private func forEachRow<Failure>(
        of record: UnsafePointer<cfic_dense>, _ body: (Int, Int) throws(Failure) -> Void
    ) throws(Failure) {
        let index = UnsafeRawPointer(record).assumingMemoryBound(to: UInt16.self) + 2
        let starts = UnsafeRawPointer(index + Int(CFIC_GROUPS) + 1).assumingMemoryBound(to: UInt8.self)
        let paletteCount = Int(index[-1])
        let palette = UnsafeRawPointer(record + 1).assumingMemoryBound(to: UInt16.self)
        let rows = UnsafeRawPointer(palette + paletteCount).assumingMemoryBound(to: cfic_dense_row.self)
        func start(_ block: Int) -> Int { Int(index[block >> Int(CFIC_GROUP_BITS)]) + Int(starts[block]) }
        for block in 0..<Int(CFIC_PAGE_BLOCKS) {
            for row in start(block)..<start(block + 1) {
                let rule = Int(rows[row].rule)
                let unit = block << Int(CFIC_BLOCK_BITS) + Int(rows[row].unit)
                try body(unit, paletteCount == 0 ? rule : Int(palette[rule]))
            }
        }
    }

    private func forEachRow<Failure>(
        of quarter: UnsafePointer<cfic_quarter>, from beginning: Int, _ body: (Int, Int) throws(Failure) -> Void
    ) throws(Failure) {
        let starts = UnsafeRawPointer(quarter).assumingMemoryBound(to: UInt16.self) + 1
        let rules = UnsafeRawPointer(quarter + 1).assumingMemoryBound(to: UInt16.self)
        let units = UnsafeRawPointer(rules + Int(starts[-1])).assumingMemoryBound(to: UInt8.self)
        for block in 0..<Int(CFIC_QUARTER_BLOCKS) {
            for row in Int(starts[block])..<Int(starts[block + 1]) {
                try body(beginning + block << Int(CFIC_BLOCK_BITS) + Int(units[row]), Int(rules[row]))
            }
        }
    }

    // MARK: Entries

    @inlinable
    package static func split(_ entry: UInt32) -> (kind: PageKind, value: UInt32) {
        // Two bits, and four kinds.
        let kind = PageKind(rawValue: entry & (1 << UInt32(CFIC_PAGE_KIND_BITS) - 1)).unsafelyUnwrapped
        return (kind, entry >> UInt32(CFIC_PAGE_KIND_BITS))
    }

    private func quarters(_ place: UInt32) -> [UnsafePointer<cfic_quarter>] {
        let places = record(place, as: cfic_quarters.self).pointee.quarter
        return [places.0, places.1, places.2, places.3].map { record($0, as: cfic_quarter.self) }
    }
}
