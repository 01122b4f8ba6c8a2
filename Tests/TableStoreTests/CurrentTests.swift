import CUnwindTable
import Foundation
import TableStore
import Testing
import UnwindTable

struct CurrentTests {
    let directory: TemporaryDirectory
    let store: TableStore
    let key = TableSource.Key.buildID([0xab, 0xcd, 0xef, 0x01])
    let table: [UInt8]
    var path: String { directory.path + "/cache/.build-id/ab/cdef01.unwind" }

    init() throws {
        directory = try TemporaryDirectory()
        store = TableStore(directory: directory.path + "/cache")
        table = try compiledTable(key: key)
    }

    @Test func insertedTableIsCurrentByteForByte() throws {
        try store.insert(table, key: key)
        let entry = try store.current(key: key, options: TableOptions())
        #expect(entry.path == path)
        #expect(entry.holds(table))
        #expect(entry.key == key)
        #expect(entry.header.producer == Producer.code)
        #expect(directory.files() == [path])
    }

    @Test(
        arguments: [
            (TableSource.Key.buildID([0xab]), ".build-id/ab/.unwind"),
            (.buildID([0x00, 0x0f]), ".build-id/00/0f.unwind"),
            (
                .buildID(Array(repeating: 0xee, count: 48)),
                ".build-id/ee/" + String(repeating: "ee", count: 47) + ".unwind"
            ),
            (
                .buildID([0xab, 0xcd], digest: Array(repeating: 0x0f, count: 16)),
                ".build-id/ab/cd-" + String(repeating: "0f", count: 16) + ".unwind"
            ),
            (
                .content(Array(repeating: 0x12, count: 32)),
                ".content/12/" + String(repeating: "12", count: 31) + ".unwind"
            ),
        ] as [(TableSource.Key, String)])
    func keyGivesPath(key: TableSource.Key, path: String) throws {
        try store.insert(compiledTable(key: key), key: key)
        #expect(try store.current(key: key, options: TableOptions()).path == store.directory + "/" + path)
    }

    @Test(arguments: [0, 49]) func keyOfImpossibleLengthIsRefused(count: Int) {
        let key = TableSource.Key.buildID(Array(repeating: 1, count: count))
        #expect(throws: StoreError.invalidKey(byteCount: count)) { try store.path(of: key) }
        #expect(store.reason(key) == .absent)
    }

    @Test func missingTableIsAbsent() {
        #expect(store.reason(key) == .absent)
    }

    @Test func buildIDAndContentKeyOfTheSameBytesAreTwo() throws {
        try store.insert(table, key: key)
        #expect(store.reason(.content(key.bytes)) == .absent)
    }

    /// Checksums cover each section's first and last byte, bytes of the header, and the spare bytes.
    @Test func everyFlippedByteIsNoticed() throws {
        try store.insert(table, key: key)
        let header = try table.header()
        var offsets = [0, 7, 8, 9, 13, 20, 40, header.size - 1, table.count - 8, table.count - 1]
        for number in 0..<CFIC_SECTION_COUNT.rawValue {
            let section = header.range(of: cfic_section_index(number))
            if !section.isEmpty { offsets += [section.lowerBound, section.upperBound - 1] }
        }
        for offset in offsets {
            var broken = table
            broken[offset] ^= 0x40
            try broken.write(to: path)
            let reason = store.reason(key)
            switch reason {
            case .damaged?, .otherFormat?: break
            default: Issue.record("byte \(offset): \(String(describing: reason))")
            }
        }
        try store.insert(table, key: key)
        #expect(store.reason(key) == nil)
    }

    @Test func otherLengthIsNoticed() throws {
        let header = try table.header().size
        for count in [
            0, 1, 8, 159, 160, header - 1, header, TableHeader.longest, table.count / 2, table.count - 1,
            table.count + 1,
        ] {
            try Array((table + [0])[..<count]).write(to: path)
            guard case .damaged = store.reason(key) else {
                Issue.record("\(count) bytes: \(String(describing: store.reason(key)))")
                continue
            }
        }
        try store.insert(table, key: key)
        #expect(store.reason(key) == nil)
    }

    @Test func otherFormatVersionIsNoticed() throws {
        try table.withHeader { $0.version += 1 }.write(to: path)
        #expect(store.reason(key) == .otherFormat(UInt16(CFIC_TABLE_VERSION) + 1))
        try store.insert(table, key: key)
        #expect(store.reason(key) == nil)
    }

    /// Tables stay current in releases with the same revision of the rules.
    @Test func tableOfAnotherReleaseIsCurrent() throws {
        try table.withHeader { $0.producer += 1 }.write(to: path)
        #expect(store.reason(key) == nil)
    }

    @Test func otherRulesAreNoticed() throws {
        try table.withHeader { $0.revision += 1 }.write(to: path)
        #expect(store.reason(key) == .otherRevision(Producer.revision + 1))
        try store.insert(table, key: key)
        #expect(store.reason(key) == nil)
    }

    @Test func otherOptionsAreNoticed() throws {
        try store.insert(compiledTable(key: key, keepsGaps: true), key: key)
        #expect(store.reason(key) == .otherOptions(UInt32(CFIC_OPTION_KEEP_GAPS)))
        #expect(store.reason(key, options: TableOptions(keepsGaps: true)) == nil)
        try store.insert(table, key: key)
        #expect(store.reason(key) == nil)
    }

    @Test func tableOfAnotherKeyInItsPlaceIsNoticed() throws {
        try compiledTable(key: .buildID([0xab, 0xcd, 0xef, 0x02])).write(to: path)
        #expect(store.reason(key) == .otherKey)
        try store.insert(table, key: key)
        #expect(store.reason(key) == nil)
        let bytes = [UInt8](repeating: 7, count: 32)
        try compiledTable(key: .content(bytes)).write(to: store.path(of: .buildID(bytes)))
        #expect(store.reason(.buildID(bytes)) == .otherKey)
    }

    @Test func symbolicLinkFIFOAndDirectoryAreRefused() throws {
        let elsewhere = directory.path + "/elsewhere"
        try table.write(to: elsewhere)
        try store.insert(table, key: key)
        unlink(path)
        symlink(elsewhere, path)
        #expect(store.reason(key) == .notRegularFile)
        unlink(path)
        mkfifo(path, 0o600)
        #expect(store.reason(key) == .notRegularFile)
        try store.insert(table, key: key)
        #expect(store.reason(key) == nil)
        unlink(path)
        mkdir(path, 0o700)
        #expect(store.reason(key) == .notRegularFile)
    }

    @Test func openTableOutlivesItsReplacement() throws {
        try store.insert(table, key: key)
        let entry = try store.current(key: key, options: TableOptions())
        try store.insert(compiledTable(of: "/bin/sh", key: key), key: key)
        #expect(entry.holds(table))
        #expect(try !store.current(key: key, options: TableOptions()).holds(table))
    }
}
