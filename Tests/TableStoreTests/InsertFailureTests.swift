import Files
import Foundation
import TableStore
import Testing
import UnwindTable

/// The error of a failed insertion includes advice, and no file is left behind.
struct InsertFailureTests {
    let directory: TemporaryDirectory
    let store: TableStore
    let key = TableSource.Key.buildID([1, 2, 3])

    init() throws {
        directory = try TemporaryDirectory()
        store = TableStore(directory: directory.path)
    }

    private func failure(_ table: [UInt8], key: TableSource.Key) -> StoreError? {
        do throws(StoreError) {
            try table.withUnsafeBytes { bytes in
                Result { () throws(StoreError) in try store.insert(bytes, key: key) }
            }.get()
            return nil
        } catch {
            return error
        }
    }

    @Test func bytesThatAreNoTableAreRefused() throws {
        #expect(failure([1, 2, 3], key: key) == .notTheTable(.damaged("header+0x3: file is smaller than a header")))
        #expect(failure(try compiledTable(key: .buildID([9])), key: key) == .notTheTable(.otherKey))
        #expect(directory.files().isEmpty)
    }

    /// For root, only a read-only mount prevents writing; for others, the mode does.
    @Test(.enabled(if: geteuid() != 0 || Mount.isPossible, "needs a user other than root, or to mount"))
    func readOnlyStore() throws {
        let table = try compiledTable(key: key)
        try store.insert(table, key: key)
        let other = TableSource.Key.buildID([1, 9])
        var mount: Mount?
        if geteuid() == 0 {
            mount = try Mount(at: directory.path, ["--bind", directory.path])
            _ = try Writer(["-o", "remount,bind,ro", directory.path], program: "/bin/mount").wait()
        } else {
            chmod(directory.path + "/.build-id/01", 0o555)
        }
        defer { chmod(directory.path + "/.build-id/01", 0o755) }
        let error = failure(try compiledTable(key: other), key: other)
        guard case .file(let reason)? = error, reason.action == .write else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(reason.path == directory.path + "/.build-id/01/09.unwind")
        #expect(reason.errno == (mount == nil ? EACCES : EROFS))
        #expect(error?.description.contains("choose another directory (--cache, CFIC_CACHE)") == true)
        // The existing table can still be used.
        #expect(store.reason(key) == nil)
        #expect(directory.files().count == 1)
        // The same if a directory would have to be created.
        let third = TableSource.Key.content(Array(repeating: 7, count: 32))
        if mount != nil {
            #expect(
                failure(try compiledTable(key: third), key: third)
                    == .file(FileError(cannot: .makeDirectory, path: directory.path + "/.content", errno: EROFS)))
        }
        mount = nil
    }

    @Test(.enabled(if: Mount.isPossible, "needs to mount a small tmpfs"))
    func fullDisk() throws {
        let mount = try Mount(at: directory.path, ["-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs"])
        defer { withExtendedLifetime(mount) {} }
        let small = try compiledTable(key: key)
        try store.insert(small, key: key)
        let big = try compiledTable(of: "/proc/self/exe", key: key)
        try #require(big.count > 65536)
        let error = failure(big, key: key)
        #expect(
            error
                == .file(FileError(cannot: .write, path: directory.path + "/.build-id/01/0203.unwind", errno: ENOSPC)))
        #expect(error?.description.contains("free some space") == true)
        #expect(directory.files().count == 1)
        #expect(try store.current(key: key, options: TableOptions()).holds(small))
        // No invisible file takes the space either.
        try store.insert(small, key: key)
    }

    /// The limit's signal would kill the process before it could clean up.
    @Test func fileSizeLimit() throws {
        let source = try TemporaryDirectory()
        try compiledTable(key: key).write(to: source.path + "/table")
        let writer = try Writer(
            ["limited", "1000", "insert", directory.path, "1", source.path + "/table"], output: source.path + "/output")
        #expect(writer.wait() == 1)
        #expect(writer.printed().contains("ulimit -f"))
        #expect(directory.files().isEmpty)
    }

    @Test func directoryInTheTablesPlace() throws {
        let path = try store.path(of: key)
        try [UInt8]().write(to: path + "/in-the-way")
        let error = failure(try compiledTable(key: key), key: key)
        #expect(error == .file(FileError(cannot: .replace, path: path, errno: EISDIR)))
        #expect(directory.temporaries().isEmpty)
    }

    @Test func fileInADirectorysPlace() throws {
        try [UInt8]([1]).write(to: directory.path + "/.build-id")
        let error = failure(try compiledTable(key: key), key: key)
        #expect(
            error == .file(FileError(cannot: .makeDirectory, path: directory.path + "/.build-id/01", errno: ENOTDIR)))
    }

    @Test(.enabled(if: Writer.canHideDescriptors, "unshare -m fails here, as in a chroot"))
    func namedTemporariesAreTheOtherWay() throws {
        let source = try TemporaryDirectory()
        let table = try compiledTable(key: key)
        try table.write(to: source.path + "/table")
        let writer = try Writer.withNamedTemporaries(
            ["insert", directory.path, "2", source.path + "/table"], output: source.path + "/output")
        #expect(writer.wait() == 0, "\(writer.printed())")
        #expect(try store.current(key: key, options: TableOptions()).holds(table))
        #expect(directory.files().count == 1)
    }
}
