import CUnwindTable

extension TableView {
    /// How a page's rows are encoded: docs/table-format.md, "Pages". The raw values are those of `enum cfic_page_kind`.
    public enum PageKind: UInt32, Sendable {
        /// One rule for the whole page, without a record.
        case uniform = 0
        /// Up to 256 items, which are searched.
        case sparse = 1
        /// Items with an index of blocks of up to 256 pc units.
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
        /// Number of items, which are rows or templates of rows; 0 for a uniform page and for quarters, which list rows.
        public var itemCount: Int
        /// How many of the items are templates.
        public var templateCount: Int
        /// Number of palette entries; 0 if the codes of all items are symbols.
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
        var page = Page(
            address: address, kind: kind, rowCount: 1, itemCount: 0, templateCount: 0, paletteCount: 0, recordBytes: 0)
        switch kind {
        case .sparse:
            let record = record(place, as: cfic_sparse.self).pointee
            page.itemCount = Int(record.item_count)
            page.paletteCount = Int(record.palette_count)
            page.recordBytes = MemoryLayout<cfic_sparse>.size + 2 * page.paletteCount + 3 * page.itemCount
        case .dense:
            let record = DenseRecord(record(place, as: cfic_dense.self))
            page.itemCount = record.items.count
            page.paletteCount = record.codes.palette.count
            page.recordBytes = record.size
        case .quarters:
            page.rowCount = quarters(place).reduce(0) { $0 + Int($1.pointee.row_count) }
            page.recordBytes =
                MemoryLayout<cfic_quarters>.size + 4 * MemoryLayout<cfic_quarter>.size + 3 * page.rowCount
        case .uniform: break
        }
        if kind == .sparse || kind == .dense {
            page.rowCount = page.itemCount
            forEachItem(of: entry) { _, symbol in
                guard let template = template(of: symbol) else { return }
                page.templateCount += 1
                page.rowCount += template.rowCount - 1
            }
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
        case .uniform: try body(0, Int(place))
        case .sparse, .dense:
            try forEachItem(of: entry) { (unit: Int, symbol: Int) throws(Failure) in
                guard let template = template(of: symbol) else { return try body(unit, ruleNumber(of: symbol)) }
                for row in 0..<template.rowCount { try body(unit + template.offset(row), template.rule(row)) }
            }
        case .quarters:
            for (number, quarter) in quarters(place).enumerated() {
                try forEachRow(of: quarter, from: number * Int(CFIC_QUARTER_UNITS), body)
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

    // MARK: Items

    /// Calls `body` with the unit and the symbol of each item of a sparse or dense page.
    private func forEachItem<Failure>(
        of entry: UInt32, _ body: (Int, Int) throws(Failure) -> Void
    ) throws(Failure) {
        let (kind, place) = Self.split(entry)
        if kind == .dense {
            let record = DenseRecord(record(place, as: cfic_dense.self))
            try record.forEachItem(body)
        } else {
            let record = record(place, as: cfic_sparse.self)
            let codes = RecordCodes(record + 1, Int(record.pointee.palette_count))
            let (units, count) = (codes.end.assumingMemoryBound(to: UInt16.self), Int(record.pointee.item_count))
            let itemCodes = UnsafeRawPointer(units + count).assumingMemoryBound(to: UInt8.self)
            for item in 0..<count { try body(Int(units[item]), codes.symbol(itemCodes[item])) }
        }
    }

    /// The template with a symbol; nil if that is a rule's.
    private func template(of symbol: Int) -> cfic_template? {
        let index = symbol - Int(header.fields.first_template)
        return templates.indices.contains(index) ? templates[index] : nil
    }

    /// The number of the rule with a symbol that isn't a template's.
    private func ruleNumber(of symbol: Int) -> Int {
        symbol < Int(header.fields.first_template) ? symbol : symbol - templates.count
    }

    /// A row of a template.
    package struct TemplateRow: Sendable {
        /// Distance from the template's first row, in bytes.
        package var offset: Int
        /// The rule's number.
        package var rule: Int
    }

    /// The symbol of the first template.
    package var firstTemplate: Int { Int(header.fields.first_template) }

    /// The rows of all templates, by ascending symbols.
    package var templateRows: [[TemplateRow]] {
        templates.map { template in
            (0..<template.rowCount).map {
                TemplateRow(offset: template.offset($0) << Int(machine.pcShift), rule: template.rule($0))
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

/// What the codes of one record mean.
private struct RecordCodes {
    let palette: UnsafeBufferPointer<UInt16>

    /// - Parameter start: of the palette.
    init(_ start: UnsafeRawPointer, _ count: Int) {
        palette = UnsafeBufferPointer(start: start.assumingMemoryBound(to: UInt16.self), count: count)
    }

    /// Where the palette ends.
    var end: UnsafeRawPointer {
        // Not nil: made from a pointer.
        UnsafeRawPointer(palette.baseAddress.unsafelyUnwrapped + palette.count)
    }

    func symbol(_ code: UInt8) -> Int {
        let index = Int(code) + palette.count - 256
        return index < 0 ? Int(code) : Int(palette[index])
    }
}

/// The parts of a dense record that is proved.
private struct DenseRecord {
    let index: DenseIndex
    private let groups: UnsafeRawPointer
    let codes: RecordCodes
    let items: UnsafeBufferPointer<cfic_item>

    init(_ record: UnsafePointer<cfic_dense>) {
        // Proved: it is one of the indexes.
        index = DenseIndex(record.pointee).unsafelyUnwrapped
        groups = UnsafeRawPointer(record + 1)
        let count = (groups + index.size).load(as: UInt16.self)
        codes = RecordCodes(groups + index.size + MemoryLayout<UInt16>.size, Int(record.pointee.palette_count))
        items = UnsafeBufferPointer(start: codes.end.assumingMemoryBound(to: cfic_item.self), count: Int(count))
    }

    /// In bytes.
    var size: Int {
        MemoryLayout<cfic_dense>.size + index.size + MemoryLayout<UInt16>.size
            + 2 * (codes.palette.count + items.count)
    }

    /// Calls `body` with unit and symbol of each item.
    func forEachItem<Failure>(_ body: (Int, Int) throws(Failure) -> Void) throws(Failure) {
        var first = 0
        for block in 0..<index.blocks {
            let end = index.isNibbles ? index.nibblesEnd(groups, block, first) : index.end(groups, block)
            // An item has the low byte of its unit.
            let base = block << index.bits & ~0xff
            for item in first..<end { try body(base + Int(items[item].unit), codes.symbol(items[item].code)) }
            first = end
        }
    }
}
