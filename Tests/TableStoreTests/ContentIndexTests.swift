import ELF
import Files
import Foundation
import TableCompiler
import TableStore
import Testing

struct ContentIndexTests {
    let directory: TemporaryDirectory
    let store: TableStore
    let key = Array(UInt8(0)..<32)
    let identity = FileIdentity(device: 0xfd00, inode: 0x1234, size: 77, changeNanoseconds: 1_600_000_000_123_456_789)

    var state: FileState { FileState(file: identity) }

    init() throws {
        directory = try TemporaryDirectory()
        store = TableStore(directory: directory.path)
    }

    @Test func unchangedFileKeepsItsKey() {
        #expect(store.contentDigest(of: state) == nil)
        #expect(store.remember(key, of: state))
        #expect(store.contentDigest(of: state) == key)
        #expect(directory.files().count == 1)
    }

    @Test func anyChangeOfIdentityForgetsIt() {
        store.remember(key, of: state)
        var others = Array(repeating: identity, count: 4)
        others[0].device += 1
        others[1].inode += 1
        others[2].size += 1
        others[3].changeNanoseconds += 1
        for other in others { #expect(store.contentDigest(of: FileState(file: other)) == nil) }
    }

    /// The table depends on whether a debug file is wanted, and on the one that is found.
    @Test func anotherDebugFileForgetsIt() {
        var debugFile = identity
        debugFile.inode += 1
        var later = debugFile
        later.changeNanoseconds += 1
        let states = [
            FileState(file: identity), FileState(file: identity, wantsDebugFile: true),
            FileState(file: identity, debugFiles: [debugFile], wantsDebugFile: true),
            FileState(file: identity, debugFiles: [later], wantsDebugFile: true),
        ]
        for state in states {
            #expect(store.remember(key, of: state))
            #expect(states.filter { store.contentDigest(of: $0) != nil } == [state])
        }
    }

    @Test func newStateOfAFileReplacesTheOld() {
        store.remember(key, of: state)
        var changed = identity
        changed.changeNanoseconds += 5
        store.remember(key.reversed(), of: FileState(file: changed))
        #expect(store.contentDigest(of: FileState(file: changed)) == key.reversed())
        #expect(store.contentDigest(of: state) == nil)
        #expect(directory.files().count == 1)
    }

    @Test func tornOrWrongEntryIsIgnoredAndRepaired() throws {
        store.remember(key, of: state)
        let path = try #require(directory.files().first)
        let good = try [UInt8](contentsOf: path)
        for count in [0, 1, good.count - 1] {
            try Array(good[..<count]).write(to: path)
            #expect(store.contentDigest(of: state) == nil)
        }
        for offset in good.indices {
            var broken = good
            broken[offset] ^= 1
            try broken.write(to: path)
            #expect(store.contentDigest(of: state) == nil, "byte \(offset)")
        }
        try (good + [0]).write(to: path)
        #expect(store.contentDigest(of: state) == nil)
        #expect(store.remember(key, of: state))
        #expect(store.contentDigest(of: state) == key)
    }

    /// A file may change again within the same tick of the file system's clock.
    @Test func fileModifiedJustNowIsNotRemembered() {
        var young = identity
        young.changeNanoseconds = Int64(time(nil)) * 1_000_000_000
        #expect(!store.remember(key, of: FileState(file: young)))
        #expect(!store.remember(key, of: FileState(file: identity, debugFiles: [young], wantsDebugFile: true)))
        young.changeNanoseconds -= 5_000_000_000
        #expect(store.remember(key, of: FileState(file: young)))
    }

    /// After the clock was set back, files seem to change in the future. They are read each time until it has caught up; what
    /// was remembered before is still known, because only the files' states count.
    @Test func clockThatIsSetBackCostsOnlyTime() {
        #expect(store.remember(key, of: state))
        var future = identity
        future.changeNanoseconds = (Int64(time(nil)) + 3600) * 1_000_000_000
        #expect(!store.remember(key.reversed(), of: FileState(file: future)))
        #expect(store.contentDigest(of: FileState(file: future)) == nil)
        #expect(store.contentDigest(of: state) == key)
    }

    @Test func keyOfAnotherLengthAndUnwritableStoreAreNotRemembered() {
        #expect(!store.remember([1, 2], of: state))
        #expect(!TableStore(directory: "/dev/null/store").remember(key, of: state))
    }
}
