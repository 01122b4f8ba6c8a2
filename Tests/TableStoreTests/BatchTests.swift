import Files
import Foundation
import Synchronization
import TableStore
import Testing
import UnwindTable

/// Many tables with one flush of the disk's cache.
@Suite(.timeLimit(.minutes(30))) struct BatchTests {
    let directory: TemporaryDirectory
    let store: TableStore

    init() throws {
        directory = try TemporaryDirectory()
        store = TableStore(directory: directory.path + "/cache")
    }

    private func keys(_ count: Int) -> [TableSource.Key] {
        (0..<count).map { .buildID([0xab, UInt8($0 >> 8), UInt8($0 & 255)]) }
    }

    private func insert(_ key: TableSource.Key, into batch: TableBatch) throws {
        try compiledTable(key: key).withUnsafeBytes { try batch.insert($0, key: key) }
    }

    @Test func tablesAreSeenAfterTheFlushAndNotBefore() throws {
        let batch = TableBatch(store)
        for key in keys(5) { try insert(key, into: batch) }
        #expect(batch.syncCount == 0)
        #expect(directory.files().filter { $0.hasSuffix(".unwind") } == [])
        #expect(keys(5).allSatisfy { store.reason($0) == .absent })
        #expect(batch.flush().isEmpty)
        // Once for the bytes, before the names appear, and once for the names.
        #expect(batch.syncCount == 2)
        #expect(keys(5).allSatisfy { store.reason($0) == nil })
        #expect(batch.flush().isEmpty && batch.syncCount == 2)
    }

    /// To synchronize the file system would also write what other programs have written.
    @Test func oneTableIsWrittenWithoutSynchronizingTheFileSystem() throws {
        let batch = TableBatch(store)
        for key in keys(2) {
            try insert(key, into: batch)
            #expect(store.reason(key) == .absent)
            #expect(batch.flush().isEmpty && batch.syncCount == 0)
            #expect(store.reason(key) == nil)
        }
    }

    @Test func aTableThatCannotBeKeptIsTold() throws {
        let batch = TableBatch(store)
        let bad = keys(1)[0]
        try [UInt8]().write(to: store.path(of: bad) + "/in-the-way")
        try insert(bad, into: batch)
        #expect(
            try batch.flush() == [bad: .file(FileError(cannot: .replace, path: store.path(of: bad), errno: EISDIR))])
        #expect(batch.flush().isEmpty)
        #expect(directory.temporaries() == [])
    }

    @Test func aHundredTablesTakeAFewSyncs() throws {
        let batch = TableBatch(store)
        for key in keys(100) { try insert(key, into: batch) }
        // Full batches are published immediately.
        #expect(keys(100).filter { store.reason($0) == nil }.count >= 64)
        #expect(batch.flush().isEmpty)
        #expect(keys(100).allSatisfy { store.reason($0) == nil })
        #expect(batch.syncCount <= 5)
        #expect(directory.files().count == 100)
    }

    @Test func threadsShareABatch() async throws {
        let batch = TableBatch(store)
        let tables = try keys(96).map { ($0, try compiledTable(key: $0)) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for part in 0..<4 {
                group.addTask {
                    for (key, table) in tables[(part * 24)..<(part * 24 + 24)] {
                        try table.withUnsafeBytes { try batch.insert($0, key: key) }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(batch.flush().isEmpty)
        #expect(keys(96).allSatisfy { store.reason($0) == nil })
    }

    /// Otherwise, each thread could keep a full batch of files open.
    @Test func oneThreadPublishesAtATime() async throws {
        let now = Mutex((active: 0, most: 0))
        let batch = TableBatch(store) {
            now.withLock { $0 = ($0.active + 1, max($0.most, $0.active + 1)) }
            for _ in 0..<2000 { sched_yield() }
            now.withLock { $0.active -= 1 }
            return nil
        }
        let tables = try keys(160).map { ($0, try compiledTable(key: $0)) }
        await withTaskGroup(of: Void.self) { group in
            for part in 0..<4 {
                group.addTask {
                    for (key, table) in tables[(part * 40)..<(part * 40 + 40)] {
                        _ = try? table.withUnsafeBytes { try batch.insert($0, key: key) }
                    }
                }
            }
        }
        #expect(batch.flush().isEmpty)
        #expect(now.withLock { $0.most } == 1)
        #expect(keys(160).allSatisfy { store.reason($0) == nil })
    }

    /// RLIMIT_NOFILE. A batch of 32 files would exceed the first limit.
    @Test(arguments: [(24, 1), (100, 8)]) func fewOpenFilesAreEnough(limit: Int, threads: Int) throws {
        let paths = try keys(200).map { key in
            let path = directory.path + "/tables/\(key)"
            try compiledTable(key: key).write(to: path)
            return path
        }
        let words = ["files", "\(limit)", "batch", store.directory, "\(threads)"] + paths
        let writer = try Writer(words, output: directory.path + "/said")
        #expect(writer.wait() == 0, "\(writer.printed())")
        #expect(keys(200).allSatisfy { store.reason($0) == nil })
    }

    @Test func whatIsNeverFlushedLeavesNothing() throws {
        do {
            let batch = TableBatch(store)
            try insert(keys(1)[0], into: batch)
        }
        #expect(directory.files() == [])
    }

    @Test func oneTableThatCannotBeKeptCostsNoOther() throws {
        let batch = TableBatch(store)
        let (bad, good) = (keys(2)[0], keys(2)[1])
        try [UInt8]().write(to: store.path(of: bad) + "/in-the-way")
        for key in [bad, good] { try insert(key, into: batch) }
        #expect(
            try batch.flush() == [bad: .file(FileError(cannot: .replace, path: store.path(of: bad), errno: EISDIR))])
        #expect(store.reason(good) == nil)
        #expect(batch.flush().isEmpty)
        #expect(directory.temporaries() == [])
    }
}
