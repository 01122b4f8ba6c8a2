import CUnwindTable
import TestFixtures
import UnwindTable

/// A table's bytes, which tests change. Checksums can be corrected, so that the intended check is reached.
struct CorruptibleTable {
    private(set) var bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func load<Number: FixedWidthInteger>(_ offset: Int, as type: Number.Type) -> Number {
        bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: type) }
    }

    mutating func store<Number: FixedWidthInteger>(_ number: Number, at offset: Int) {
        bytes.replaceSubrange(offset..<offset + MemoryLayout<Number>.size, with: little(number))
    }

    mutating func truncate(to count: Int) { bytes.removeLast(bytes.count - count) }
    mutating func append(_ more: [UInt8]) { bytes += more }

    // MARK: Offsets

    var headerSize: Int { 160 + (Int(bytes[14]) + Int(bytes[15]) + 7) / 8 * 8 + 8 }
    /// Offset in the header of the number of a section's elements.
    func length(_ section: cfic_section_index) -> Int { 112 + 4 * Int(section.rawValue) }
    func count(_ section: cfic_section_index) -> Int { Int(load(length(section), as: UInt32.self)) }

    private func size(_ section: cfic_section_index) -> Int {
        count(section) * [16, 8, 16, 4, 4, 12, 12, 0, 4][Int(section.rawValue)]
    }

    func start(_ section: cfic_section_index) -> Int {
        (0..<section.rawValue).reduce(headerSize) { $0 + size(cfic_section_index($1)) }
    }

    func end(_ section: cfic_section_index) -> Int { start(section) + size(section) }

    func range(_ number: Int) -> Int { start(CFIC_SECTION_RANGES) + 16 * number }
    func operation(_ index: Int) -> Int { start(CFIC_SECTION_EXPRESSIONS) + 8 * index }
    func template(_ number: Int) -> Int { start(CFIC_SECTION_TEMPLATES) + 16 * number }
    func directory(_ page: Int) -> Int { start(CFIC_SECTION_DIRECTORY) + 4 * page }
    func rule(_ number: Int) -> Int { start(CFIC_SECTION_RULES) + 4 * number }
    func longRule(_ index: Int) -> Int { start(CFIC_SECTION_LONG_RULES) + 12 * index }
    /// Offset of a page's record.
    func record(_ page: Int) -> Int {
        start(CFIC_SECTION_PAGES) + 4 * Int(load(directory(page), as: UInt32.self) >> 2)
    }
    /// Offset of the units of a sparse page.
    func sparseUnits(_ page: Int) -> Int { record(page) + 4 + 2 * Int(bytes[record(page)]) }
    /// Offset of a dense page's number of items.
    func itemCount(_ page: Int) -> Int {
        let index = bytes[record(page) + 1], units = Int(load(record(page) + 2, as: UInt16.self)) + 1
        return record(page) + 4 + (index == 0x88 ? units >> 12 * 10 : units >> Int(index))
    }
    /// Offset of an item of a dense page.
    func item(_ number: Int, of page: Int) -> Int {
        itemCount(page) + 2 + 2 * Int(bytes[record(page)]) + 2 * number
    }
    /// Offset of the record of a page's quarter.
    func quarter(_ number: Int, of page: Int) -> Int {
        start(CFIC_SECTION_PAGES) + 4 * Int(load(record(page) + 4 * number, as: UInt32.self))
    }

    // MARK: Sections

    /// Appends elements to a section.
    mutating func append(_ elements: [UInt8], count more: Int, to section: cfic_section_index) {
        bytes.insert(contentsOf: elements, at: end(section))
        store(UInt32(count(section) + more), at: length(section))
    }

    /// Empties a section.
    mutating func empty(_ section: cfic_section_index) {
        bytes.removeSubrange(start(section)..<end(section))
        store(UInt32(0), at: length(section))
    }

    // MARK: Checksums

    /// Sets the checksums of what follows the header and of the header, if the file has so many bytes.
    mutating func fixChecksums() {
        guard bytes.count >= 160, headerSize <= bytes.count else { return }
        store(checksum(headerSize..<bytes.count), at: 152)
        store(checksum(0..<headerSize - 8), at: headerSize - 8)
    }

    private func checksum(_ range: Range<Int>) -> UInt64 {
        bytes.withUnsafeBytes { TableView.checksum(UnsafeRawBufferPointer(rebasing: $0[range])) }
    }

    /// The defect that the verifier finds; nil if there is none.
    func defect(misalignment: Int = 0) -> TableDefect? {
        let memory = GuardedBytes(bytes, misalignment: misalignment)
        do throws(TableDefect) {
            _ = try TableVerifier.verify(memory.bytes)
            return nil
        } catch {
            return error
        }
    }
}
