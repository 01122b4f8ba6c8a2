import Foundation
import TableStore
import Testing
import UnwindTable

struct BuildIDPrefixTests {
    let directory: TemporaryDirectory
    let store: TableStore

    init() throws {
        directory = try TemporaryDirectory()
        store = TableStore(directory: directory.path)
        for id in [[0xab], [0xab, 0xcd, 0x10], [0xab, 0xcd, 0x1f], [0xab, 0xcd], [0x77, 0x01, 0x02, 0x03]] as [[UInt8]] {
            try store.insert(compiledTable(key: .buildID(id)), key: .buildID(id))
        }
    }

    @Test(arguments: [
        ("ab", [0xab]), ("abcd", [0xab, 0xcd]), ("ABCD10", [0xab, 0xcd, 0x10]), ("abcd1f", [0xab, 0xcd, 0x1f]),
        ("7701", [0x77, 1, 2, 3]), ("77010", [0x77, 1, 2, 3]), ("77010203", [0x77, 1, 2, 3]),
    ] as [(String, [UInt8])])
    func wholeIDOrUniquePrefixIsFound(text: String, id: [UInt8]) throws {
        #expect(try store.lookup(buildIDPrefixHex: text).key == .buildID(id))
    }

    @Test func ambiguousPrefixListsCandidates() {
        let error = StoreError.ambiguous(prefix: "abcd1", candidates: ["abcd10", "abcd1f"], count: 2)
        #expect(throws: error) { try store.lookup(buildIDPrefixHex: "abcd1") }
        #expect(error.description == "abcd1 begins more than one build id: abcd10, abcd1f: give more digits")
    }

    @Test(arguments: ["", "7", "77", "770", "77xy", "../..", String(repeating: "a", count: 130)])
    func otherTextIsRefused(text: String) {
        #expect(throws: StoreError.invalidPrefix(text)) { try store.lookup(buildIDPrefixHex: text) }
    }

    @Test(arguments: ["7702", "ffff", "7701020304"]) func unknownIDIsSaidSo(text: String) {
        #expect(throws: StoreError.noSuchBuildID(text, directory: directory.path)) {
            try store.lookup(buildIDPrefixHex: text)
        }
    }

    @Test func namesThatAreNoBuildIDsAreNotCandidates() throws {
        for name in ["0", "zz", ".cfic-0"] { try [1].write(to: directory.path + "/.build-id/77/\(name).unwind") }
        #expect(try store.lookup(buildIDPrefixHex: "7701").key == .buildID([0x77, 1, 2, 3]))
    }

    @Test func damagedTableIsNotGiven() throws {
        let path = try store.path(of: .buildID([0x77, 1, 2, 3]))
        try [1, 2, 3].write(to: path)
        #expect(throws: StoreError.unusable(path: path, .damaged("header+0x3: file is smaller than a header"))) {
            try store.lookup(buildIDPrefixHex: "7701")
        }
    }
}
