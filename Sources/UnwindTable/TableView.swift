import CUnwindTable
import CXXHash

/// Reads a table in place.
///
/// Only `TableVerifier` makes views, after proving every index, offset and bound. Nothing here checks them again.
public struct TableView {
    /// The table's bytes. Their owner must keep them alive and unchanged.
    public let bytes: UnsafeRawBufferPointer
    public let header: cfic_table_header
    public let ranges: UnsafeBufferPointer<cfic_range>
    public let directory: UnsafeBufferPointer<UInt32>
    public let rules: UnsafeBufferPointer<Rule>
    public let operations: UnsafeBufferPointer<Operation>
    public let pages: UnsafeRawBufferPointer
    /// The same pointers for the C lookup.
    public let native: cfic_native_table

    /// The first bytes of every table.
    public static var magic: [UInt8] { [0x89] + Array("UNWTAB\n".utf8) }

    public static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 { XXH64(bytes.baseAddress, bytes.count, 0) }

    public var machine: TableMachine? { TableMachine(rawValue: header.machine) }
    public var pageShift: UInt64 { UInt64(header.pc_shift) + UInt64(CFIC_PAGE_BITS) }

    public var key: TableSource.Key { TableSource.Key(header) }

    /// The number of the rule at `address` (SVMA); 0, "no information", outside the table.
    public func ruleNumber(at address: UInt64) -> Int {
        withUnsafePointer(to: native) { Int(cfic_native_lookup($0, address)) }
    }

    public func rule(at address: UInt64) -> Rule { rules[ruleNumber(at: address)] }

    func record<Record>(_ place: UInt32, as type: Record.Type) -> UnsafePointer<Record> {
        // The proof includes that the record starts within `pages`, which therefore isn't empty.
        (pages.baseAddress.unsafelyUnwrapped + Int(place) * Int(CFIC_RECORD_ALIGN)).assumingMemoryBound(to: type)
    }
}
