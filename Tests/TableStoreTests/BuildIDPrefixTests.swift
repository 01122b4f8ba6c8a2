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
        for id in [[0xab], [0xab, 0xcd, 0x10], [0xab, 0xcd, 0x1f], [0xab, 0xcd], [0x77, 0x01, 0x02, 0x03]] as [[UInt8]]
        {
            try store.insert(compiledTable(key: .buildID(id)), key: .buildID(id))
        }
    }

    @Test(
        arguments: [
            ("ab", [0xab]), ("abcd", [0xab, 0xcd]), ("ABCD10", [0xab, 0xcd, 0x10]), ("abcd1f", [0xab, 0xcd, 0x1f]),
            ("7701", [0x77, 1, 2, 3]), ("77010", [0x77, 1, 2, 3]), ("77010203", [0x77, 1, 2, 3]),
        ] as [(String, [UInt8])])
    func wholeIDOrUniquePrefixIsFound(text: String, id: [UInt8]) throws {
        #expect(try store.lookup(buildIDPrefixHex: text).key == .buildID(id))
    }

    @Test func ambiguousPrefixListsCandidates() {
        let error = StoreError.ambiguous(prefix: "abcd1", candidates: ["abcd10", "abcd1f"], count: 2)
        #expect(throws: error) { try store.lookup(buildIDPrefixHex: "abcd1") }
        #expect(error.description == "abcd1 matches more than one table: abcd10, abcd1f: give more digits")
    }

    @Test func twoDigitsAreEnoughAndWhatTheyStandForIsListed() throws {
        let all = ["ab", "abcd", "abcd10", "abcd1f"]
        #expect(try store.lookup(buildIDPrefixHex: "77").key == .buildID([0x77, 1, 2, 3]))
        #expect(throws: StoreError.ambiguous(prefix: "abc", candidates: Array(all.dropFirst()), count: 3)) {
            try store.lookup(buildIDPrefixHex: "abc")
        }
    }

    /// The digest after the build id distinguishes files with the same build id.
    @Test func digestTellsFilesOfOneBuildIDApart() throws {
        let digests = [Array(repeating: UInt8(0x11), count: 16), Array(repeating: 0x12, count: 16)]
        let keys = digests.map { TableSource.Key.buildID([0x55, 0x66], digest: $0) }
        for key in keys { try store.insert(compiledTable(key: key), key: key) }
        let names = ["5566-" + String(repeating: "11", count: 16), "5566-" + String(repeating: "12", count: 16)]
        for text in ["55", "5566", "5566-", "5566-1"] {
            #expect(throws: StoreError.ambiguous(prefix: text, candidates: names, count: 2)) {
                try store.lookup(buildIDPrefixHex: text)
            }
        }
        #expect(try store.lookup(buildIDPrefixHex: "5566-11").key == keys[0])
        #expect(try store.lookup(buildIDPrefixHex: names[1].uppercased()).key == keys[1])
        #expect(throws: StoreError.noSuchBuildID("5566-2", directory: directory.path)) {
            try store.lookup(buildIDPrefixHex: "5566-2")
        }
        // A digest needs a complete build id before it.
        #expect(throws: StoreError.noSuchBuildID("556-1", directory: directory.path)) {
            try store.lookup(buildIDPrefixHex: "556-1")
        }
    }

    @Test(arguments: ["", "7", "77xy", "7701-xy", "-11", "../..", String(repeating: "a", count: 98)])
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
