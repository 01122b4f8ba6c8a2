import ELF
import Files
import Files
import Foundation
import TableCompiler
import TableStore
import Testing
import UnwindTable

/// Root uses no tables that others could have stored, and doesn't follow their links.
@Suite(.enabled(if: geteuid() == 0, "only root can make files of others")) struct TrustTests {
    let directory: TemporaryDirectory
    let store: TableStore
    let key = TableSource.Key.buildID([0xab, 0xcd])
    static let nobody: uid_t = 65534

    init() throws {
        directory = try TemporaryDirectory()
        store = TableStore(directory: directory.path + "/cache")
    }

    private func shared(_ store: TableStore) -> TableStore {
        var store = store
        store.isShared = true
        return store
    }

    @Test func directoryThatIsMadeIsGoodForTheNextTime() throws {
        let source = directory.path + "/table"
        try compiledTable(key: key).write(to: source)
        try store.checkIsTrusted()
        let words = ["-c", "umask 0; exec \"$0\" \"$@\"", try Writer.program(), "insert", store.directory, "1", source]
        #expect(try Writer(words, program: "/bin/sh").wait() == 0)
        try store.checkIsTrusted()
        #expect(store.reason(key) == nil)
    }

    @Test(arguments: [(nobody, 0o755), (0, 0o775), (0, 0o757), (0, 0o1777)] as [(uid_t, mode_t)])
    func directoryThatOthersCanWriteIsRefused(owner: uid_t, mode: mode_t) throws {
        try #require(mkdir(store.directory, 0o755) == 0)
        try #require(chown(store.directory, owner, 0) == 0 && chmod(store.directory, mode) == 0)
        let error = StoreError.writableByOthers(path: store.directory, owner: owner)
        #expect(throws: error) { try store.checkIsTrusted() }
        #expect(error.description.contains("--shared-cache"))
        #expect(throws: Never.self) { try shared(store).checkIsTrusted() }
    }

    @Test func linkOfOthersIsNotFollowed() throws {
        let own = directory.path + "/own"
        try #require(mkdir(own, 0o755) == 0 && symlink("own", store.directory) == 0)
        #expect(throws: Never.self) { try store.checkIsTrusted() }
        try #require(lchown(store.directory, Self.nobody, 0) == 0)
        let error = StoreError.linkOfOthers(path: store.directory, owner: Self.nobody)
        for path in [store.directory, directory.path + "/./cache", store.directory + "/below"] {
            #expect(throws: StoreError.self) { try TableStore(directory: path).checkIsTrusted() }
        }
        #expect(throws: error) { try store.checkIsTrusted() }
        // The same if a link of root's leads to one.
        try #require(symlink(store.directory, directory.path + "/first") == 0)
        #expect(throws: error) { try TableStore(directory: directory.path + "/first").checkIsTrusted() }
        #expect(throws: Never.self) { try shared(store).checkIsTrusted() }
    }

    /// Anybody who can rename an entry can make the path lead to another directory of root's.
    @Test(arguments: [(nobody, 0o755), (0, 0o775), (0, 0o757), (nobody, 0o1777)] as [(uid_t, mode_t)])
    func wayThatOthersCanChangeIsRefused(owner: uid_t, mode: mode_t) throws {
        let way = directory.path + "/way"
        try #require(mkdir(way, 0o755) == 0 && mkdir(way + "/below", 0o755) == 0 && symlink("way", way + "-link") == 0)
        try #require(chown(way, owner, 0) == 0 && chmod(way, mode) == 0)
        let table = try compiledTable(key: key)
        for path in [way + "/cache", way + "/below/cache", way + "-link/below/cache", way + "/below/../../cache"] {
            let store = TableStore(directory: path)
            let error = StoreError.replaceableByOthers(path: way, owner: owner)
            // Both before and after the directory exists.
            for _ in 0..<2 {
                #expect(throws: error, "\(path)") { try store.checkIsTrusted() }
                #expect(throws: error, "\(path)") { try store.insert(table, key: key) }
            }
            #expect(throws: Never.self) { try shared(store).checkIsTrusted() }
            #expect(error.description.contains("--shared-cache"))
        }
        #expect(directory.files() == [way + "-link"])
    }

    /// Like /tmp, where only a file's owner can rename it.
    @Test func stickyDirectoryOfRootIsGoodForWhatRootOwns() throws {
        let sticky = directory.path + "/sticky"
        try #require(mkdir(sticky, 0o755) == 0 && chmod(sticky, 0o1777) == 0 && mkdir(sticky + "/own", 0o755) == 0)
        for path in [sticky + "/own/cache", sticky + "/new/cache", sticky + "/cache"] {
            let store = TableStore(directory: path)
            #expect(throws: Never.self) { try store.checkIsTrusted() }
            #expect(throws: Never.self) { try store.insert(compiledTable(key: key), key: key) }
            #expect(store.reason(key) == nil)
        }
        try #require(mkdir(sticky + "/theirs", 0o755) == 0 && chown(sticky + "/theirs", Self.nobody, 0) == 0)
        #expect(throws: StoreError.replaceableByOthers(path: sticky + "/theirs", owner: Self.nobody)) {
            try TableStore(directory: sticky + "/theirs/cache").checkIsTrusted()
        }
    }

    @Test func linksThatLeadInACircleEnd() throws {
        try #require(symlink("cache", store.directory) == 0)
        #expect(throws: Never.self) { try store.checkIsTrusted() }
    }

    @Test func entryOfOthersIsNotUsedAndReplaced() throws {
        let table = try compiledTable(key: key)
        try store.insert(table, key: key)
        let path = try store.path(of: key)
        for (owner, mode) in [(Self.nobody, 0o644), (0, 0o666)] as [(uid_t, mode_t)] {
            try #require(chown(path, owner, 0) == 0 && chmod(path, mode) == 0)
            #expect(store.reason(key) == .writableByOthers)
            #expect(shared(store).reason(key) == nil)
            try store.insert(table, key: key)
            #expect(store.reason(key) == nil)
        }
    }

    @Test func indexEntryOfOthersIsNotUsed() throws {
        let state = FileState(file: FileIdentity(device: 1, inode: 2, size: 3, changeNanoseconds: 4))
        let digest = [UInt8](repeating: 7, count: 32)
        #expect(store.remember(digest, of: state))
        try #require(chown(directory.files()[0], Self.nobody, 0) == 0)
        #expect(store.contentDigest(of: state) == nil)
        #expect(shared(store).contentDigest(of: state) == digest)
    }

    @Test(arguments: [".build-id", ".build-id/ab"]) func nothingIsWrittenThroughALinkInTheStore(name: String) throws {
        let elsewhere = directory.path + "/elsewhere"
        let link = store.directory + "/" + name
        try FileManager.default.createDirectory(
            atPath: (link as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try #require(mkdir(elsewhere, 0o755) == 0 && symlink(elsewhere, link) == 0)
        try #require(lchown(link, Self.nobody, 0) == 0)
        let table = try compiledTable(key: key)
        #expect(throws: StoreError.linkOfOthers(path: link, owner: Self.nobody)) { try store.insert(table, key: key) }
        #expect(directory.files().allSatisfy { !$0.hasPrefix(elsewhere) })
    }

    @Test func otherUsersDecideThemselves() {
        #expect(TableStore.isTrusted(owner: Self.nobody, mode: 0o666, user: 1000))
        #expect(!TableStore.isTrusted(owner: Self.nobody, mode: 0o600, user: 0))
        #expect(!TableStore.isTrusted(owner: 0, mode: 0o660, user: 0))
        #expect(TableStore.isTrusted(owner: 0, mode: 0o644, user: 0))
    }
}

struct WritableTests {
    @Test func storeThatTakesNothingSaysWhereItReallyIs() throws {
        let directory = try TemporaryDirectory()
        try [UInt8]().write(to: directory.path + "/file")
        let error = StoreError.file(
            FileError(cannot: .makeDirectory, path: directory.path + "/file/.build-id", errno: ENOTDIR))
        #expect(throws: error) { try TableStore(directory: directory.path + "/./file").checkIsWritable() }
        #expect(throws: Never.self) { try TableStore(directory: directory.path + "/new").checkIsWritable() }
    }
}
