import CUnwindTable

/// A defect in a table's bytes.
public struct TableDefect: Error, Equatable, Sendable, CustomStringConvertible {
    /// `header`, `content` (all that follows the header), `ranges`, `expressions`, `templates`, `directory`, `rules`,
    /// `long rules`, `sources` or `pages`.
    public var section: String
    /// Offset in the file.
    public var offset: Int
    /// What is wrong there, as text for people.
    public var problem: String

    public var description: String { "\(section)+0x\(String(offset, radix: 16)): \(problem)" }
}

/// Proves every index, offset and bound of a table, so that lookups need no checks.
///
/// docs/table-format.md, "Verification", lists what is proved. The time is linear in the table's size: records must be
/// in the order of their pages and must not overlap, so none is read twice.
public enum TableVerifier {
    /// Proves a whole table.
    ///
    /// - Parameter bytes: a table's whole file; the address must be a multiple of 16.
    /// - Returns: a view of `bytes`, valid as long as these exist and are unchanged.
    /// - Throws: the first defect found.
    public static func verify(_ bytes: UnsafeRawBufferPointer) throws(TableDefect) -> TableView {
        guard UInt(bitPattern: bytes.baseAddress) % 16 == 0 else {
            throw TableDefect(section: "header", offset: 0, problem: "bytes do not start at a multiple of 16 in memory")
        }
        let header = try readHeader(bytes)
        try checkContent(bytes, header)
        let view = TableView(bytes: bytes, header: header)
        try checkRanges(view)
        try checkSources(view)
        try RuleProof(view: view, machine: header.machine).check()
        var pages = PageProof(view, try TemplateProof(view).reaches())
        try pages.check()
        return view
    }

    /// Proves the checksum of all that follows the header, and that the spare bytes are zero.
    ///
    /// - Parameters:
    ///   - bytes: a whole table.
    ///   - header: what `readHeader` returned for `bytes`.
    package static func checkContent(
        _ bytes: UnsafeRawBufferPointer, _ header: TableHeader
    ) throws(TableDefect) {
        let content = UnsafeRawBufferPointer(rebasing: bytes[header.size...])
        guard TableView.checksum(content) == header.fields.checksum else {
            throw TableDefect(section: "content", offset: header.size, problem: "checksum does not match")
        }
        guard bytes[header.sectionsEnd...].allSatisfy({ $0 == 0 }) else {
            throw TableDefect(
                section: "content", offset: header.sectionsEnd, problem: "bytes after the last section are not zero")
        }
    }

    // MARK: Ranges

    private static func checkRanges(_ view: TableView) throws(TableDefect) {
        func defect(_ range: Int, _ problem: String) -> TableDefect {
            TableDefect(
                section: "ranges", offset: view.offset(of: CFIC_SECTION_RANGES, range), problem: problem)
        }
        let pageLimit = UInt64.max >> view.pageShift + 1
        var entries = 0
        var end: UInt64 = 0
        for (number, range) in view.ranges.enumerated() {
            guard range.page_count > 0 else { throw defect(number, "range has no pages") }
            guard number == 0 || range.start_page > end else {
                throw defect(number, "range does not start above the previous range, or touches it")
            }
            guard range.start_page < pageLimit, UInt64(range.page_count) <= pageLimit - range.start_page else {
                throw defect(number, "range extends beyond the address space")
            }
            guard Int(range.directory_index) == entries else {
                throw defect(number, "directory index is not the sum of the preceding counts")
            }
            // Doesn't overflow: at most 2^28 ranges, with fewer than 2^32 pages each, fit a file.
            entries += Int(range.page_count)
            guard entries <= view.directory.count else {
                throw defect(number, "range has pages without directory entries")
            }
            end = range.start_page + UInt64(range.page_count)
        }
        guard entries == view.directory.count else {
            throw TableDefect(
                section: "directory", offset: view.offset(of: CFIC_SECTION_DIRECTORY, entries),
                problem: "directory entries that belong to no range")
        }
    }
}

extension TableView {
    /// - Precondition: `header` is the header of `bytes`, and its sections are within `bytes`.
    init(bytes: UnsafeRawBufferPointer, header: TableHeader) {
        func elements<Element>(_ section: cfic_section_index, _: Element.Type) -> UnsafeBufferPointer<Element> {
            UnsafeRawBufferPointer(rebasing: bytes[header.range(of: section)]).assumingMemoryBound(to: Element.self)
        }
        self.bytes = bytes
        self.header = header
        ranges = elements(CFIC_SECTION_RANGES, cfic_range.self)
        operations = elements(CFIC_SECTION_EXPRESSIONS, Operation.self)
        templates = elements(CFIC_SECTION_TEMPLATES, cfic_template.self)
        directory = elements(CFIC_SECTION_DIRECTORY, UInt32.self)
        rules = RuleList(
            short: elements(CFIC_SECTION_RULES, cfic_short_rule.self),
            long: elements(CFIC_SECTION_LONG_RULES, cfic_rule.self), machine: header.machine)
        sources = elements(CFIC_SECTION_SOURCES, cfic_source.self)
        pages = UnsafeRawBufferPointer(rebasing: bytes[header.range(of: CFIC_SECTION_PAGES)])
        // Lengths have 32 bits in the file, too.
        native = cfic_native_table(
            ranges: ranges.baseAddress, directory: directory.baseAddress, templates: templates.baseAddress,
            rules: rules.short.baseAddress, long_rules: rules.long.baseAddress, operations: operations.fields,
            pages: pages.baseAddress?.assumingMemoryBound(to: UInt8.self),
            range_count: UInt32(ranges.count), operation_count: UInt32(operations.count),
            first_template: UInt32(header.fields.first_template), template_count: UInt32(templates.count),
            machine: header.fields.machine, pc_shift: header.fields.pc_shift)
    }

    /// Offset in the file of an element of a section.
    func offset(of section: cfic_section_index, _ element: Int) -> Int {
        header.range(of: section).lowerBound + element * TableHeader.elementSize(section)
    }
}
