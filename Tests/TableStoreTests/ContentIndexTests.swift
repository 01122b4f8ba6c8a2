import ELF
import Foundation
import TableStore
import Testing

struct ContentIndexTests {
    let directory: TemporaryDirectory
    let store: TableStore
    let key = Array(UInt8(0)..<32)
    let identity = FileIdentity(device: 0xfd00, inode: 0x1234, size: 77, modificationNanoseconds: 1_600_000_000_123_456_789)

    init() throws {
        directory = try TemporaryDirectory()
        store = TableStore(directory: directory.path)
    }

    @Test func unchangedFileKeepsItsKey() {
        #expect(store.contentKey(for: identity) == nil)
        #expect(store.remember(key, for: identity))
        #expect(store.contentKey(for: identity) == key)
        #expect(directory.files().count == 1)
    }

    @Test func anyChangeOfIdentityForgetsIt() {
        store.remember(key, for: identity)
        var others = Array(repeating: identity, count: 4)
        others[0].device += 1
        others[1].inode += 1
        others[2].size += 1
        others[3].modificationNanoseconds += 1
        for other in others { #expect(store.contentKey(for: other) == nil) }
    }

    @Test func newStateOfAFileReplacesTheOld() {
        store.remember(key, for: identity)
        var changed = identity
        changed.modificationNanoseconds += 5
        store.remember(key.reversed(), for: changed)
        #expect(store.contentKey(for: changed) == key.reversed())
        #expect(store.contentKey(for: identity) == nil)
        #expect(directory.files().count == 1)
    }

    @Test func tornOrWrongEntryIsIgnoredAndRepaired() throws {
        store.remember(key, for: identity)
        let path = try #require(directory.files().first)
        let good = try [UInt8](contentsOf: path)
        for count in [0, 1, good.count - 1] {
            try Array(good[..<count]).write(to: path)
            #expect(store.contentKey(for: identity) == nil)
        }
        for offset in good.indices {
            var broken = good
            broken[offset] ^= 1
            try broken.write(to: path)
            #expect(store.contentKey(for: identity) == nil, "byte \(offset)")
        }
        try (good + [0]).write(to: path)
        #expect(store.contentKey(for: identity) == nil)
        #expect(store.remember(key, for: identity))
        #expect(store.contentKey(for: identity) == key)
    }

    /// It may change again within the same tick of the file system's clock.
    @Test func fileModifiedJustNowIsNotRemembered() {
        var young = identity
        young.modificationNanoseconds = Int64(time(nil)) * 1_000_000_000
        #expect(!store.remember(key, for: young))
        young.modificationNanoseconds -= 5_000_000_000
        #expect(store.remember(key, for: young))
    }

    @Test func keyOfAnotherLengthAndUnwritableStoreAreNotRemembered() {
        #expect(!store.remember([1, 2], for: identity))
        #expect(!TableStore(directory: "/dev/null/store").remember(key, for: identity))
    }
}
