import CUnwindTable
import Foundation
import TableStore
import Testing
import UnwindTable

/// Stored tables that others change while they are used, and tables that claim more bytes than the file has.
@Suite(.timeLimit(.minutes(30))) struct TableFileTests {
    let directory: TemporaryDirectory
    let store: TableStore
    let key = TableSource.Key.buildID([0xab, 0xcd, 0xef, 0x01])
    let table: [UInt8]
    let path: String

    init() throws {
        directory = try TemporaryDirectory()
        store = TableStore(directory: directory.path + "/cache")
        table = try compiledTable(of: "/proc/self/exe", key: key)
        try store.insert(table, key: key)
        path = try store.path(of: key)
    }

    /// If the file were mapped, the first access after its new end would kill this process by SIGBUS.
    @Test(arguments: [0, 208, 4096]) func entryTruncatedWhileItIsUsed(size: off_t) throws {
        let entry = try store.current(key: key, options: TableOptions())
        let named = try TableFile(reading: path)
        try #require(truncate(path, size) == 0)
        #expect(entry.holds(table))
        #expect(named.bytes.elementsEqual(table))
        _ = try TableVerifier.verify(entry.bytes)
        withExtendedLifetime((entry, named)) {}
        guard case .damaged = store.reason(key) else {
            Issue.record("\(String(describing: store.reason(key)))")
            return
        }
    }

    @Test func entryOverwrittenWhileItIsUsed() throws {
        let entry = try store.current(key: key, options: TableOptions())
        let file = open(path, O_WRONLY)
        defer { close(file) }
        let garbage = [UInt8](repeating: 0xff, count: table.count)
        try #require(pwrite(file, garbage, garbage.count, 0) == garbage.count)
        #expect(entry.holds(table))
    }

    /// Writes a table whose last section has `size` bytes, which are a hole of the file, as are the spare bytes after it.
    private func writeSparse(pagesSize size: Int) throws {
        let offset = try table.header().range(of: CFIC_SECTION_PAGES).lowerBound
        let header = table.withHeader { $0.lengths.8 = UInt32(size / 4) }
        try Array(header[..<offset]).write(to: path)
        try #require(truncate(path, off_t(offset + size + Int(CFIC_SPARE_BYTES))) == 0)
    }

    @Test(arguments: [1 << 30, 16 << 30 - 4]) func sparseEntryTakesNoTime(size: Int) throws {
        try writeSparse(pagesSize: size)
        guard case .damaged(let problem) = store.reason(key) else {
            Issue.record("\(String(describing: store.reason(key)))")
            return
        }
        #expect(problem.contains("are a hole"))
        #expect(throws: NotCurrent.self) { try TableFile(reading: path) }
        try store.insert(table, key: key)
        #expect(store.reason(key) == nil)
    }

    /// A table copied by a tool that makes holes for zeros is still valid.
    @Test func entryWithAHoleOfZerosIsRead() throws {
        let offset = try table.header().range(of: CFIC_SECTION_PAGES).lowerBound
        let zeros = 1 << 20
        var holed = Array(table[..<offset]) + [UInt8](repeating: 0, count: zeros + Int(CFIC_SPARE_BYTES))
        holed = holed.withHeader { $0.lengths.8 = UInt32(zeros / 4) }
        try Array(holed[..<offset]).write(to: path)
        try #require(truncate(path, off_t(holed.count)) == 0)
        let file = try TableFile(reading: path)
        #expect(file.bytes.elementsEqual(holed))
        withExtendedLifetime(file) {}
    }

    @Test func headerThatClaimsMoreThanTheFileIsNotBelieved() throws {
        try table.withHeader { $0.lengths.8 = .max }.write(to: path)
        #expect(store.reason(key) == .damaged("header+0x90: pages: extends beyond the end of the file"))
    }
}
