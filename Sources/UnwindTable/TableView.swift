import CUnwindTable
import CXXHash

/// Reads a table in place.
///
/// Only `TableVerifier` makes views, after proving every index, offset and bound. Nothing here checks them again.
public struct TableView {
    /// The table's bytes. Their owner must keep them alive and unchanged.
    public let bytes: UnsafeRawBufferPointer
    /// What the table was made from, and by which compiler.
    public let header: TableHeader
    package let ranges: UnsafeBufferPointer<cfic_range>
    package let directory: UnsafeBufferPointer<UInt32>
    package let templates: UnsafeBufferPointer<cfic_template>
    /// All rules, by number. Rule 0 is "no information".
    public let rules: RuleList
    /// The programs of all rules, one after the other, each with an ``Operation/Code/end``.
    public let operations: UnsafeBufferPointer<Operation>
    let sources: UnsafeBufferPointer<cfic_source>
    package let pages: UnsafeRawBufferPointer
    /// The same for C.
    package let native: cfic_native_table

    /// The first 8 bytes of every table.
    package static var magic: [UInt8] { [0x89] + Array("UNWTAB\n".utf8) }

    /// The checksum that tables have of their headers and of the rest: XXH64 with seed 0.
    public static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 { XXH64(bytes.baseAddress, bytes.count, 0) }

    /// The machine whose code the table describes.
    public var machine: TableMachine { header.machine }
    /// log2 of the bytes of code that a page describes: 16 on x86-64, 18 on aarch64.
    public var pageShift: UInt64 { UInt64(header.fields.pc_shift) + UInt64(CFIC_PAGE_BITS) }

    /// What the table is found by.
    public var key: TableSource.Key { header.key }

    /// The number of the rule in force at an address; 0, "no information", outside the table.
    ///
    /// Takes at most eight steps of a search, and allocates nothing.
    ///
    /// - Parameter address: an SVMA. For a return address, look up the address minus 1, which is in the call.
    public func ruleNumber(at address: UInt64) -> Int {
        withUnsafePointer(to: native) { Int(cfic_native_lookup($0, address)) }
    }

    /// The rule in force at an address (SVMA), as ``ruleNumber(at:)`` finds it.
    public func rule(at address: UInt64) -> Rule { rules[ruleNumber(at: address)] }

    func record<Record>(_ place: UInt32, as type: Record.Type) -> UnsafePointer<Record> {
        // The proof includes that the record starts within `pages`, which therefore isn't empty.
        (pages.baseAddress.unsafelyUnwrapped + Int(place) * Int(CFIC_RECORD_ALIGN)).assumingMemoryBound(to: type)
    }
}
