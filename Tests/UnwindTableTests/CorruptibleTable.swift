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
    mutating func insert(_ more: [UInt8], at offset: Int) { bytes.insert(contentsOf: more, at: offset) }

    // MARK: Offsets

    /// Offset in the header of a section's entry.
    func entry(_ section: cfic_section_index) -> Int { 176 + 24 * Int(section.rawValue) }
    func start(_ section: cfic_section_index) -> Int { Int(load(entry(section), as: UInt64.self)) }
    func size(_ section: cfic_section_index) -> Int { Int(load(entry(section) + 8, as: UInt64.self)) }

    func directory(_ page: Int) -> Int { start(CFIC_SECTION_DIRECTORY) + 4 * page }
    func rule(_ number: Int) -> Int { start(CFIC_SECTION_RULES) + 12 * number }
    func operation(_ index: Int) -> Int { start(CFIC_SECTION_EXPRESSIONS) + 8 * index }
    /// Offset of a page's record.
    func record(_ page: Int) -> Int {
        start(CFIC_SECTION_PAGES) + 4 * Int(load(directory(page), as: UInt32.self) >> 2)
    }
    /// Offset of the units of a sparse page.
    func sparseUnits(_ page: Int) -> Int { record(page) + 4 + 2 * Int(load(record(page) + 2, as: UInt16.self)) }
    /// Offset of the record of a page's quarter.
    func quarter(_ number: Int, of page: Int) -> Int {
        start(CFIC_SECTION_PAGES) + 4 * Int(load(record(page) + 4 * number, as: UInt32.self))
    }

    /// Empties the pages section.
    mutating func removePages() {
        truncate(to: start(CFIC_SECTION_PAGES))
        store(UInt64(0), at: entry(CFIC_SECTION_PAGES) + 8)
    }

    // MARK: Checksums

    /// Sets the checksums of the header and of the sections that are within the file.
    mutating func fixChecksums() {
        for section in 0..<Int(CFIC_SECTION_COUNT.rawValue) {
            let entry = 176 + 24 * section
            let offset = load(entry, as: UInt64.self)
            let size = load(entry + 8, as: UInt64.self)
            guard offset <= bytes.count, size <= UInt64(bytes.count) - offset else { continue }
            store(checksum(Int(offset)..<Int(offset + size)), at: entry + 16)
        }
        store(checksum(0..<296), at: 296)
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

/// Tables with at least one of each kind of page and rule.
enum Specimen {
    /// Pages: 0 sparse, 1 dense with a palette, 2 quarters, 3 uniform, 4 sparse with a palette, 5 dense, and, in
    /// another range, 6 sparse.
    ///
    /// Rule numbers: 1 to 300 for `wide`, then those with expressions and ends of stack.
    static func large() throws -> CorruptibleTable {
        var writer = CFIWriter()
        let page: UInt64 = 0x1_0000
        writer.addFunction(page, length: page, [.init(0x40, 4016), .init(0x300, 4024), .init(0x1000, 4016)])
        let rare: [CFIWriter.Row] = [.init(0xf000, 16), .init(0xf100, 24)]
        writer.addFunction(2 * page, length: page, (0..<260).map { .init($0 * 200, Int32($0 % 5 + 500) * 8) } + rare)
        writer.addFunction(3 * page, length: 2 * page, (0..<1200).map { .init($0 * 50, Int32($0 % 300 + 500) * 8) })
        writer.addFunction(5 * page, length: page, [.init(0, 32), .init(0x40, 40), .init(0x80, 48)])
        writer.addFunction(6 * page, length: page, (0..<260).map { .init($0 * 200, Int32($0 % 5 + 500) * 8) })
        addPrograms(&writer, at: 1 << 40)
        return CorruptibleTable(try BuiltTable(writer, executable: [page..<7 * page, 1 << 40..<1 << 40 + page]).bytes)
    }

    /// The same kinds of page with few rules: 0 sparse, 1 dense, 2 quarters, 3 uniform, 4 sparse.
    static func small() throws -> CorruptibleTable {
        var writer = CFIWriter()
        let page: UInt64 = 0x1_0000
        writer.addFunction(page, length: page, [.init(0x40, 16), .init(0x300, 24)])
        writer.addFunction(2 * page, length: page, (0..<257).map { .init($0 * 200, Int32($0 % 3 + 2) * 8) })
        writer.addFunction(3 * page, length: 2 * page, (0..<257).map { .init($0, Int32($0 % 3 + 2) * 8) })
        addPrograms(&writer, at: 1 << 40)
        return CorruptibleTable(try BuiltTable(writer, executable: [page..<5 * page, 1 << 40..<1 << 40 + page]).bytes)
    }

    static func aarch64() throws -> CorruptibleTable {
        var writer = CFIWriter(.aarch64, codeAlignment: 4)
        writer.addFDE(
            0x4_0000, length: 0x1000,
            CFI.advance(1) + CFI.negateReturnAddressState + CFI.advance(1) + CFI.defineCFAOffset(16)
                + CFI.offset(register: 29, factored: 2) + CFI.offset(register: 30, factored: 1))
        return CorruptibleTable(try BuiltTable(writer, executable: [0x4_0000..<0x5_0000]).bytes)
    }

    /// Functions with a program for each of CFA, SP, FP and return address, an end of stack and a reason.
    private static func addPrograms(_ writer: inout CFIWriter, at start: UInt64) {
        // The lazy PLT's CFA.
        let plt: [UInt8] = [0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22]
        writer.addFDE(start, length: 0x20, CFI.defineCFA(expression: plt))
        writer.addFDE(start + 0x20, length: 0x20, CFI.value(of: 7, expression: [0x77, 32, 0x06]))
        writer.addFDE(start + 0x40, length: 0x20, CFI.saved(6, at: [0x06, 0x38, 0x22]))
        writer.addFDE(start + 0x60, length: 0x20, CFI.value(of: 16, expression: [0x70, 0, 0x12, 0x1e]))
        writer.addFDE(start + 0x80, length: 0x20, CFI.undefined(register: 16))
        writer.addFDE(start + 0xa0, length: 0x20, [0x3f])
        writer.addFDE(start + 0xc0, length: 0x20, CFI.defineCFA(expression: [0x76, 0x78, 0x06]))
    }
}
