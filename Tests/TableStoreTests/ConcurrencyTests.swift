import Foundation
import TableStore
import Testing
import UnwindTable

struct ConcurrencyTests {
    let directory: TemporaryDirectory
    let sources: TemporaryDirectory
    let store: TableStore
    let keys = (0..<4).map { TableSource.Key.buildID([0xab, UInt8($0)]) }
    var paths: [String] { keys.indices.map { sources.path + "/\($0)" } }

    init() throws {
        directory = try TemporaryDirectory()
        sources = try TemporaryDirectory()
        store = TableStore(directory: directory.path)
        for (index, key) in keys.enumerated() { try compiledTable(key: key).write(to: sources.path + "/\(index)") }
    }

    private func expectAllWhole(atLeast count: Int = 1) throws {
        let visible = directory.files().filter { $0.hasSuffix(".unwind") }
        #expect(visible.count >= count)
        for path in visible {
            let index = try #require(keys.indices.first { path.hasSuffix("/0\($0).unwind") }, "\(path)")
            #expect(store.reason(keys[index]) == nil, "\(path)")
        }
    }

    @Test func eightProcessesWriteTheSameAndDifferentKeys() throws {
        let writers = try (0..<8).map { number in
            let own = (0..<4).map { paths[(number + $0) % 4] }
            return try Writer(["insert", directory.path, "20"] + own, output: sources.path + "/output")
        }
        for writer in writers { #expect(writer.wait() == 0, "\(writer.printed())") }
        try expectAllWhole(atLeast: 4)
        #expect(directory.files().count == 4)
    }

    @Test func threadsShareAStore() async throws {
        let store = store
        let tables = try paths.map { try [UInt8](contentsOf: $0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<8 {
                let key = keys[number % 4]
                group.addTask {
                    for _ in 0..<10 {
                        try store.insert(tables[number % 4], key: key)
                        _ = try store.current(key: key, options: TableOptions())
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(directory.files().count == 4)
    }

    @Test func killedWritersLeaveWholeTablesAndNoLastingTemporaries() throws { try killWriters(named: false) }

    @Test(.enabled(if: Writer.canHideDescriptors, "unshare -m fails here, as in a chroot"))
    func killedWritersOfNamedTemporariesLeaveWholeTables() throws { try killWriters(named: true) }

    private func killWriters(named: Bool) throws {
        let words = ["insert", directory.path, "0"] + paths
        let output = sources.path + "/output"
        for _ in 0..<60 {
            let writer = try named ? Writer.withNamedTemporaries(words, output: output) : Writer(words, output: output)
            usleep(UInt32.random(in: 2_000...25_000))
            kill(writer.process, SIGKILL)
            #expect(writer.wait() == -SIGKILL, "\(writer.printed())")
            try expectAllWhole(atLeast: 0)
        }
        try expectAllWhole()
        for path in directory.temporaries() { try age(path, seconds: 2 * 3600) }
        try store.insert([UInt8](contentsOf: paths[0]), key: keys[0])
        #expect(directory.temporaries().isEmpty)
    }

    @Test func onlyTemporariesOlderThanAnHourAreRemoved() throws {
        let old = directory.path + "/.build-id/ab/.cfic-0123456789abcdef.tmp"
        let young = directory.path + "/.build-id/ab/.cfic-fedcba9876543210.tmp"
        let foreign = directory.path + "/.build-id/ab/.somebody-elses.tmp"
        for path in [old, young, foreign] { try [1].write(to: path) }
        try age(old, seconds: 3700)
        try age(young, seconds: 3500)
        try age(foreign, seconds: 1_000_000)
        try store.insert([UInt8](contentsOf: paths[0]), key: keys[0])
        #expect(Set(directory.temporaries()) == [young, foreign])
    }

    private func age(_ path: String, seconds: Int) throws {
        let when = timespec(tv_sec: time(nil) - seconds, tv_nsec: 0)
        try #require(utimensat(AT_FDCWD, path, [when, when], 0) == 0)
    }
}
