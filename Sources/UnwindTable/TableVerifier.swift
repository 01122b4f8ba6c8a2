import CUnwindTable

/// A defect in a table's bytes.
public struct TableDefect: Error, Equatable, Sendable, CustomStringConvertible {
    /// `header`, `ranges`, `directory`, `rules`, `expressions` or `pages`.
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
        try checkSums(bytes, header)
        let view = TableView(bytes: bytes, header: header)
        try checkRanges(view)
        let rules = RuleProof(view: view, machine: header.machine)
        try rules.check()
        var pages = PageProof(view)
        try pages.check()
        return view
    }

    /// Proves the sections' checksums and that the bytes between sections are zero.
    ///
    /// - Parameters:
    ///   - bytes: a whole table.
    ///   - header: what `readHeader` returned for `bytes`.
    package static func checkSums(
        _ bytes: UnsafeRawBufferPointer, _ header: TableHeader
    ) throws(TableDefect) {
        var end = MemoryLayout<cfic_table_header>.size
        for index in 0..<Int(CFIC_SECTION_COUNT.rawValue) {
            let section = header.fields.section(index)
            let content = UnsafeRawBufferPointer(rebasing: bytes[section.range])
            for padding in end..<section.range.lowerBound where bytes[padding] != 0 {
                throw TableDefect(section: names[index], offset: padding, problem: "padding is not zero")
            }
            guard TableView.checksum(content) == section.checksum else {
                throw TableDefect(
                    section: names[index], offset: section.range.lowerBound, problem: "checksum does not match")
            }
            end = section.range.upperBound
        }
    }

    /// The sections' names by `cfic_section_index`.
    static var names: [String] { ["ranges", "directory", "rules", "expressions", "pages"] }

    // MARK: Ranges

    private static func checkRanges(_ view: TableView) throws(TableDefect) {
        func defect(_ range: Int, _ problem: String) -> TableDefect {
            TableDefect(
                section: "ranges",
                offset: view.offset(of: CFIC_SECTION_RANGES, range * MemoryLayout<cfic_range>.size), problem: problem)
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
                section: "directory", offset: view.offset(of: CFIC_SECTION_DIRECTORY, 4 * entries),
                problem: "directory entries that belong to no range")
        }
    }
}

extension TableView {
    /// - Precondition: `header` is the header of `bytes`, and its sections are within `bytes`.
    init(bytes: UnsafeRawBufferPointer, header: TableHeader) {
        func content(_ index: cfic_section_index) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(rebasing: bytes[header.fields.section(Int(index.rawValue)).range])
        }
        self.bytes = bytes
        self.header = header
        ranges = content(CFIC_SECTION_RANGES).assumingMemoryBound(to: cfic_range.self)
        directory = content(CFIC_SECTION_DIRECTORY).assumingMemoryBound(to: UInt32.self)
        rules = content(CFIC_SECTION_RULES).assumingMemoryBound(to: Rule.self)
        operations = content(CFIC_SECTION_EXPRESSIONS).assumingMemoryBound(to: Operation.self)
        pages = content(CFIC_SECTION_PAGES)
        // Counts fit 32 bits: the pages of all ranges, at least one each, are counted in 32 bits, and rules can only
        // refer to programs by 16 bits.
        native = cfic_native_table(
            ranges: ranges.baseAddress, directory: directory.baseAddress,
            rules: content(CFIC_SECTION_RULES).assumingMemoryBound(to: cfic_rule.self).baseAddress,
            operations: operations.fields,
            pages: pages.baseAddress?.assumingMemoryBound(to: UInt8.self),
            range_count: UInt32(clamping: ranges.count), operation_count: UInt32(clamping: operations.count),
            machine: header.fields.machine, pc_shift: header.fields.pc_shift)
    }

    /// Offset in the file of a position in a section.
    func offset(of section: cfic_section_index, _ position: Int) -> Int {
        header.fields.section(Int(section.rawValue)).range.lowerBound + position
    }
}
