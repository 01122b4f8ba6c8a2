import CUnwindTable
import CXXHash

/// Read access to a table's bytes where they are.
///
/// Made only by `TableVerifier`, which proves every index, offset and bound first; nothing here checks again.
public struct TableView {
    /// The table's bytes; the owner keeps them alive and unchanged.
    public let bytes: UnsafeRawBufferPointer
    public let header: cfic_table_header
    public let ranges: UnsafeBufferPointer<cfic_range>
    public let directory: UnsafeBufferPointer<UInt32>
    public let rules: UnsafeBufferPointer<Rule>
    public let operations: UnsafeBufferPointer<Operation>
    public let pages: UnsafeRawBufferPointer

    /// The first bytes of every table.
    public static var magic: [UInt8] { [0x89] + Array("UNWTAB\n".utf8) }

    public static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 { XXH64(bytes.baseAddress, bytes.count, 0) }

    public var machine: TableMachine? { TableMachine(rawValue: header.machine) }
    public var pageShift: UInt64 { UInt64(header.pc_shift) + UInt64(CFIC_PAGE_BITS) }

    public var key: TableSource.Key {
        let bytes = withUnsafeBytes(of: header.key) { Array($0.prefix(Int(header.key_size))) }
        return UInt32(header.key_kind) == CFIC_KEY_CONTENT.rawValue ? .content(bytes) : .buildID(bytes)
    }

    /// The number of the rule in force at `address` (SVMA); 0, "no information", outside the table.
    public func ruleNumber(at address: UInt64) -> Int {
        guard let range = range(of: address >> pageShift) else { return 0 }
        let entry = directory[Int(range.directory_index) + Int(address >> pageShift - range.start_page)]
        let unit = UInt32(truncatingIfNeeded: address >> UInt64(header.pc_shift)) & 0xffff
        return Int(ruleNumber(entry, unit))
    }

    public func rule(at address: UInt64) -> Rule { rules[ruleNumber(at: address)] }

    private func range(of page: UInt64) -> cfic_range? {
        var first = 0
        var end = ranges.count
        while first < end {
            let middle = (first + end) / 2
            if ranges[middle].start_page <= page { first = middle + 1 } else { end = middle }
        }
        guard first > 0 else { return nil }
        let range = ranges[first - 1]
        return page - range.start_page < UInt64(range.page_count) ? range : nil
    }

    private func ruleNumber(_ entry: UInt32, _ unit: UInt32) -> UInt32 {
        let value = entry >> UInt32(CFIC_PAGE_KIND_BITS)
        switch cfic_page_kind(entry & (1 << UInt32(CFIC_PAGE_KIND_BITS) - 1)) {
        case CFIC_PAGE_SPARSE: return cfic_sparse_lookup(record(value, as: cfic_sparse.self), unit)
        case CFIC_PAGE_DENSE: return cfic_dense_lookup(record(value, as: cfic_dense.self), unit)
        case CFIC_PAGE_QUARTERS:
            let quarters = record(value, as: cfic_quarters.self).pointee.quarter
            let quarter = [quarters.0, quarters.1, quarters.2, quarters.3][Int(unit / UInt32(CFIC_QUARTER_UNITS))]
            return cfic_quarter_lookup(record(quarter, as: cfic_quarter.self), unit % UInt32(CFIC_QUARTER_UNITS))
        default: return value
        }
    }

    func record<Record>(_ place: UInt32, as type: Record.Type) -> UnsafePointer<Record> {
        // Proved: the record starts inside `pages`, which isn't empty then.
        (pages.baseAddress.unsafelyUnwrapped + Int(place) * Int(CFIC_RECORD_ALIGN)).assumingMemoryBound(to: type)
    }
}
