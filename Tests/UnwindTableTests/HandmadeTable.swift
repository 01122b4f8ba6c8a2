import CUnwindTable
import TestFixtures
import UnwindTable

/// A table that a test writes as docs/table-format.md describes it, so that the test decides how each page is encoded.
struct HandmadeTable {
    /// A row of a template or of a quarter.
    struct Row: Equatable {
        var unit: Int
        var rule: Int

        init(_ unit: Int, _ rule: Int) {
            self.unit = unit
            self.rule = rule
        }
    }

    struct Item {
        var unit: Int
        var code: Int

        init(_ unit: Int, _ code: Int) {
            self.unit = unit
            self.code = code
        }
    }

    enum Index {
        /// Groups of 8 blocks with 2^bits units.
        case groups(bits: Int)
        /// Groups of 16 blocks with 256 units.
        case nibbles

        var blockBits: Int { if case .groups(let bits) = self { bits } else { 8 } }
        var byte: UInt8 { if case .groups(let bits) = self { UInt8(bits) } else { 0x88 } }
        /// The most items of a block.
        var blockLimit: Int { if case .groups = self { 127 } else { 15 } }
    }

    enum Page {
        case uniform(Int)
        case sparse(palette: [Int] = [], [Item])
        case dense(palette: [Int] = [], Index, lastUnit: Int = 0xffff, [Item])
        /// Units count from each quarter's start.
        case quarters([[Row]])
    }

    var machine = TableMachine.x86_64
    var key: [UInt8] = [1, 2, 3, 4]
    var keyKind = CFIC_KEY_BUILD_ID
    var digest: [UInt8] = []
    var firstTemplate = 0
    var templates: [[Row]] = []
    var rules: [cfic_short_rule] = [cfic_short_rule()]
    var longRules: [Rule] = []
    var operations: [Operation] = []
    var sources: [cfic_source] = []
    var ranges: [(startPage: UInt64, pages: [Page])] = []

    // MARK: Meaning

    /// What an item with a symbol stands for.
    func rows(of symbol: Int) -> [Row] {
        if symbol < firstTemplate { return [Row(0, symbol)] }
        let template = symbol - firstTemplate
        return template < templates.count ? templates[template] : [Row(0, symbol - templates.count)]
    }

    /// The rule number at each unit of a page.
    func rules(of page: Page) -> [Int] {
        var rows: [Row] = []
        switch page {
        case .uniform(let rule): rows = [Row(0, rule)]
        case .sparse(let palette, let items), .dense(let palette, _, _, let items):
            for item in items {
                let index = item.code + palette.count - 256
                for row in self.rows(of: index < 0 ? item.code : palette[index]) {
                    rows.append(Row(item.unit + row.unit, row.rule))
                }
            }
        case .quarters(let quarters):
            for (number, quarter) in quarters.enumerated() {
                rows += quarter.map { Row(number << 14 + $0.unit, $0.rule) }
            }
        }
        var rules = [Int](repeating: 0, count: 0x1_0000)
        for (index, row) in rows.enumerated() {
            let end = index + 1 < rows.count ? rows[index + 1].unit : rules.count
            for unit in row.unit..<end { rules[unit] = row.rule }
        }
        return rules
    }

    /// The number of addresses at which the rule changes.
    private var rowCount: UInt64 {
        var count: UInt64 = 0
        for range in ranges {
            var inForce = 0
            for page in range.pages {
                for rule in rules(of: page) where rule != inForce {
                    count += 1
                    inForce = rule
                }
            }
            if inForce != 0 { count += 1 }
        }
        return count
    }

    // MARK: Bytes

    var bytes: [UInt8] {
        var sections = [[UInt8]](repeating: [], count: Int(CFIC_SECTION_COUNT.rawValue))
        func append(_ bytes: [UInt8], to section: cfic_section_index) { sections[Int(section.rawValue)] += bytes }
        var entries: UInt32 = 0
        for range in ranges {
            append(
                little(range.startPage) + little(UInt32(range.pages.count)) + little(entries),
                to: CFIC_SECTION_RANGES)
            for page in range.pages {
                let entry = Self.append(page, to: &sections[Int(CFIC_SECTION_PAGES.rawValue)])
                append(little(entry), to: CFIC_SECTION_DIRECTORY)
            }
            entries += UInt32(range.pages.count)
        }
        let pages = sections[Int(CFIC_SECTION_PAGES.rawValue)].count
        append([UInt8](repeating: 0, count: -pages & 3), to: CFIC_SECTION_PAGES)
        for operation in operations { append(Self.raw(operation), to: CFIC_SECTION_EXPRESSIONS) }
        for template in templates { append(Self.bytes(of: template), to: CFIC_SECTION_TEMPLATES) }
        for rule in rules { append(Self.raw(rule), to: CFIC_SECTION_RULES) }
        for rule in longRules { append(Self.raw(rule), to: CFIC_SECTION_LONG_RULES) }
        for source in sources { append(Self.raw(source), to: CFIC_SECTION_SOURCES) }
        let content = sections.reduce([], +) + [UInt8](repeating: 0, count: 8)
        let names = key + digest + [UInt8](repeating: 0, count: -(key.count + digest.count) & 7)
        let header = Self.raw(fields(sections, content)) + names
        return header + little(header.withUnsafeBytes { TableView.checksum($0) }) + content
    }

    private func fields(_ sections: [[UInt8]], _ content: [UInt8]) -> cfic_table_header {
        var fields = cfic_table_header()
        withUnsafeMutableBytes(of: &fields.magic) { $0.copyBytes(from: TableView.magic) }
        fields.version = UInt16(CFIC_TABLE_VERSION)
        fields.machine = machine.rawValue
        fields.pc_shift = machine.pcShift
        fields.key_kind = UInt8(keyKind.rawValue)
        fields.key_size = UInt8(key.count)
        fields.digest_size = UInt8(digest.count)
        fields.first_template = UInt16(firstTemplate)
        fields.source_size = 4096
        fields.counts.rows = rowCount
        withUnsafeMutableBytes(of: &fields.lengths) { lengths in
            for (number, section) in sections.enumerated() where !section.isEmpty {
                let size = TableHeader.elementSize(cfic_section_index(UInt32(number)))
                lengths.storeBytes(of: UInt32(section.count / size), toByteOffset: 4 * number, as: UInt32.self)
            }
        }
        fields.checksum = content.withUnsafeBytes { TableView.checksum($0) }
        return fields
    }

    private static func raw<Value>(_ value: Value) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

    static func bytes(of template: [Row]) -> [UInt8] {
        let last = template.last ?? Row(0, 0), unused = 8 - template.count
        return template.map { UInt8($0.unit) } + [UInt8](repeating: UInt8(last.unit), count: unused)
            + template.map { UInt8($0.rule) } + [UInt8](repeating: UInt8(last.rule), count: unused)
    }

    /// - Returns: the page's directory entry.
    private static func append(_ page: Page, to records: inout [UInt8]) -> UInt32 {
        records += [UInt8](repeating: 0, count: -records.count & 3)
        let place = UInt32(records.count)
        switch page {
        case .uniform(let rule): return UInt32(rule) << 2
        case .sparse(let palette, let items):
            records += [UInt8(palette.count), 0] + little(UInt16(items.count)) + numbers(palette)
            records += numbers(items.map(\.unit)) + items.map { UInt8($0.code) }
            return place | 1
        case .dense(let palette, let index, let lastUnit, let items):
            records += [UInt8(palette.count), index.byte] + little(UInt16(lastUnit))
            records += bytes(of: index, lastUnit: lastUnit, items)
            records += little(UInt16(items.count)) + numbers(palette)
            records += items.flatMap { [UInt8($0.unit & 0xff), UInt8($0.code)] }
            return place | 2
        case .quarters(let quarters):
            records += [UInt8](repeating: 0, count: 16)
            for (number, quarter) in quarters.enumerated() {
                records += [UInt8](repeating: 0, count: -records.count & 3)
                let entry = Int(place) + 4 * number
                records.replaceSubrange(entry..<entry + 4, with: little(UInt32(records.count / 4)))
                let starts = (0...64).map { block in quarter.count { $0.unit < block << 8 } }
                records += little(UInt16(quarter.count)) + numbers(starts) + numbers(quarter.map(\.rule))
                records += quarter.map { UInt8($0.unit & 0xff) }
            }
            return place | 3
        }
    }

    private static func numbers(_ numbers: [Int]) -> [UInt8] { numbers.flatMap { little(UInt16($0)) } }

    private static func bytes(of index: Index, lastUnit: Int, _ items: [Item]) -> [UInt8] {
        let blocks = (lastUnit + 1) >> index.blockBits
        var counts = [Int](repeating: 0, count: blocks)
        for item in items { counts[item.unit >> index.blockBits] += 1 }
        var bytes: [UInt8] = []
        var before = 0
        let groupSize = if case .nibbles = index { 16 } else { 8 }
        for group in 0..<blocks / groupSize {
            let counts = counts[group * groupSize..<(group + 1) * groupSize]
            var word: UInt64 = 0
            var inGroup = 0
            for (block, count) in counts.enumerated() {
                if case .nibbles = index {
                    word |= UInt64(count) << UInt64(4 * block)
                } else if block > 0 {
                    word |= UInt64(inGroup) << UInt64(15 + 7 * (block - 1))
                }
                inGroup += count
            }
            if case .nibbles = index {
                bytes += little(UInt16(before)) + little(word)
            } else {
                bytes += little(word | UInt64(before))
            }
            before += inGroup
        }
        return bytes
    }
}
