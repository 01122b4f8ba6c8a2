import Foundation
import TableStore
import Testing

struct WriteTests {
    let directory: TemporaryDirectory
    let table: [UInt8]

    init() throws {
        directory = try TemporaryDirectory()
        table = try compiledTable(key: .buildID([1, 2]))
    }

    private func write(to path: String) throws {
        try table.withUnsafeBytes { try TableStore.write($0, to: path) }
    }

    @Test func newFile() throws {
        try write(to: directory.path + "/out")
        #expect(try [UInt8](contentsOf: directory.path + "/out") == table)
        #expect(directory.files().count == 1)
    }

    @Test func replacedFileStaysWholeForItsReader() throws {
        try [UInt8]([1, 2, 3]).write(to: directory.path + "/out")
        let reader = try FileHandle(forReadingFrom: URL(fileURLWithPath: directory.path + "/out"))
        try write(to: directory.path + "/out")
        #expect(try reader.readToEnd() == Data([1, 2, 3]))
        #expect(try [UInt8](contentsOf: directory.path + "/out") == table)
        #expect(directory.files().count == 1)
    }

    /// In one piece or in several.
    @Test(arguments: [false, true]) func replacedFileKeepsItsModeAndOwner(inPieces: Bool) throws {
        let path = directory.path + "/out"
        try [UInt8]([1]).write(to: path)
        let owner: uid_t = geteuid() == 0 ? 4242 : geteuid()
        #expect(chown(path, owner, gid_t.max) == 0 && chmod(path, 0o4640) == 0)
        if inPieces { try TableStore.write(to: path) { $0.write("text") } } else { try write(to: path) }
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_size > 1)
        // Without the set-user-ID bit, which would give the owner's rights to others.
        #expect(status.st_mode & 0o7777 == 0o640 && status.st_uid == owner)
    }

    @Test func symbolicLinkStaysAndItsTargetIsReplaced() throws {
        try [UInt8]([1]).write(to: directory.path + "/sub/target")
        symlink("sub/target", directory.path + "/link")
        try write(to: directory.path + "/link")
        #expect(try [UInt8](contentsOf: directory.path + "/sub/target") == table)
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: directory.path + "/link") == "sub/target")
    }

    @Test func deviceIsWrittenIntoAndStays() throws {
        try write(to: "/dev/null")
        var status = stat()
        #expect(stat("/dev/null", &status) == 0 && status.st_mode & S_IFMT == S_IFCHR)
        #expect(throws: StoreError.cannot(.write, path: "/dev/full", errno: ENOSPC, in: .output)) {
            try write(to: "/dev/full")
        }
    }

    /// More than a pipe can hold.
    @Test func fifoGetsAllOfIt() throws {
        let path = directory.path + "/fifo"
        let big = try compiledTable(of: "/proc/self/exe", key: .buildID([1]))
        try #require(big.count > 65536)
        try big.write(to: directory.path + "/table")
        mkfifo(path, 0o600)
        let writer = try Writer(["write", path, directory.path + "/table"], output: directory.path + "/output")
        #expect(try [UInt8](contentsOf: path) == big)
        #expect(writer.wait() == 0)
    }

    /// If it were opened again, writing would start at its beginning.
    @Test func standardOutputThatIsAFileIsAppendedTo() throws {
        try table.write(to: directory.path + "/table")
        try [UInt8]("before".utf8).write(to: directory.path + "/output")
        let writer = try Writer(
            ["write", "/dev/stdout", directory.path + "/table"], output: directory.path + "/output")
        #expect(writer.wait() == 0)
        #expect(try [UInt8](contentsOf: directory.path + "/output") == Array("before".utf8) + table)
    }

    @Test func missingDirectoryIsSaidSo() {
        let path = directory.path + "/none/out"
        let error = StoreError.cannot(.write, path: path, errno: ENOENT, in: .output)
        #expect(throws: error) { try write(to: path) }
        #expect(error.description == "\(path): cannot write: No such file or directory: make the directory first")
    }
}
