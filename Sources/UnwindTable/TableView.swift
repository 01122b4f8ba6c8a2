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
    /// The same for C.
    public let native: cfic_native_table

    /// The first bytes of every table.
    public static var magic: [UInt8] { [0x89] + Array("UNWTAB\n".utf8) }

    public static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 { XXH64(bytes.baseAddress, bytes.count, 0) }

    public var machine: TableMachine? { TableMachine(rawValue: header.machine) }
    public var pageShift: UInt64 { UInt64(header.pc_shift) + UInt64(CFIC_PAGE_BITS) }

    public var key: TableSource.Key { TableSource.Key(header) }

    /// The number of the rule in force at `address` (SVMA); 0, "no information", outside the table.
    public func ruleNumber(at address: UInt64) -> Int {
        withUnsafePointer(to: native) { Int(cfic_native_lookup($0, address)) }
    }

    public func rule(at address: UInt64) -> Rule { rules[ruleNumber(at: address)] }

    func record<Record>(_ place: UInt32, as type: Record.Type) -> UnsafePointer<Record> {
        // Proved: the record starts inside `pages`, which isn't empty then.
        (pages.baseAddress.unsafelyUnwrapped + Int(place) * Int(CFIC_RECORD_ALIGN)).assumingMemoryBound(to: type)
    }
}
