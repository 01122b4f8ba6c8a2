import Files
import Foundation
import TestFixtures
import Testing

@Suite struct OutputFileTests {
    private let fixture: Fixture
    private let bytes = Array("some bytes".utf8)
    private var directory: String { fixture.directory }

    init() throws { fixture = try Fixture() }

    private func write(to path: String) throws {
        try bytes.withUnsafeBytes { try OutputFile.write($0, to: path) }
    }

    private func names() throws -> Set<String> { Set(try Directory.names(in: directory)) }

    @Test func newFile() throws {
        try write(to: directory + "/out")
        #expect(try contents(directory + "/out") == bytes)
        #expect(try names() == ["out"])
    }

    @Test func replacedFileStaysWholeForItsReader() throws {
        try fixture.write([1, 2, 3], to: "out")
        let reader = try FileHandle(forReadingFrom: URL(fileURLWithPath: directory + "/out"))
        try write(to: directory + "/out")
        #expect(try reader.readToEnd() == Data([1, 2, 3]))
        #expect(try contents(directory + "/out") == bytes)
        #expect(try names() == ["out"])
    }

    /// In one piece or in several.
    @Test(arguments: [false, true]) func replacedFileKeepsItsModeAndOwner(inPieces: Bool) throws {
        let path = try fixture.write([1], to: "out")
        let owner: uid_t = geteuid() == 0 ? 4242 : geteuid()
        #expect(chown(path, owner, gid_t.max) == 0 && chmod(path, 0o4640) == 0)
        if inPieces { try OutputFile.write(to: path) { $0.write("text") } } else { try write(to: path) }
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_size > 1)
        // Without the set-user-ID bit, which would give the owner's rights to others.
        #expect(status.st_mode & 0o7777 == 0o640 && status.st_uid == owner)
    }

    /// Unlike an output file.
    @Test func atomicFileReplacesALinkAndKeepsNoPermissions() throws {
        let target = try fixture.write([1], to: "target")
        try #require(chmod(target, 0o666) == 0 && symlink("target", directory + "/out") == 0)
        let owner = geteuid() == 0 ? AtomicFile.Owner(user: 4242, group: 4243) : nil
        let file = AtomicFile(directory: directory, name: "out", mode: 0o600, owner: owner)
        for text in ["text", "another text"] {
            try file.replace(isDurable: false) { $0.write(text) }
            #expect(try contents(directory + "/out") == Array(text.utf8))
        }
        var status = stat()
        #expect(lstat(directory + "/out", &status) == 0 && status.st_mode == S_IFREG | 0o600)
        #expect(status.st_uid == owner?.user ?? geteuid() && status.st_gid == owner?.group ?? getegid())
        #expect(try contents(target) == [1] && names() == ["out", "target"])
    }

    @Test func failureWhileAnAtomicFileIsWrittenLeavesTheOldOne() throws {
        struct Problem: Error {}
        try fixture.write([1], to: "out")
        #expect(throws: Problem.self) {
            try AtomicFile(directory: directory, name: "out").replace(isDurable: false) {
                $0.write("text")
                throw Problem()
            }
        }
        #expect(try contents(directory + "/out") == [1] && names() == ["out"])
    }

    @Test func symbolicLinkStaysAndItsTargetIsReplaced() throws {
        try fixture.write([1], to: "sub/target")
        symlink("sub/target", directory + "/link")
        try write(to: directory + "/link")
        #expect(try contents(directory + "/sub/target") == bytes)
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: directory + "/link") == "sub/target")
    }

    @Test func deviceIsWrittenIntoAndStays() throws {
        try write(to: "/dev/null")
        var status = stat()
        #expect(stat("/dev/null", &status) == 0 && status.st_mode & S_IFMT == S_IFCHR)
        #expect(throws: FileError(cannot: .write, path: "/dev/full", errno: ENOSPC)) {
            try write(to: "/dev/full")
        }
    }

    /// More than a pipe can hold.
    @Test func fifoGetsAllOfIt() throws {
        let path = directory + "/fifo"
        mkfifo(path, 0o600)
        let writer = try RunningProgram([Self.writer(), path, "100000"])
        let found = try FileHandle(forReadingFrom: URL(fileURLWithPath: path)).readToEnd()
        #expect(found == Data(repeating: UInt8(ascii: "x"), count: 100_000))
        writer.waitUntilExit()
    }

    /// If it were opened again, writing would start at its beginning.
    @Test func standardOutputThatIsAFileIsAppendedTo() throws {
        let path = try fixture.write(Array("before".utf8), to: "output")
        try run("sh", "-c", "exec '\(Self.writer())' /dev/stdout 5 >> '\(path)'")
        #expect(try contents(path) == Array("beforexxxxx".utf8))
    }

    /// The limit's signal would kill the process before it could clean up.
    @Test func fileSizeLimit() throws {
        let error = #expect(throws: TestFailure.self) {
            try run("sh", "-c", "ulimit -f 1; exec '\(Self.writer())' '\(directory)/out' 1000")
        }
        #expect(error?.message.contains("cannot write: File too large: raise the limit") == true)
        #expect(try names() == [])
    }

    /// Beside the test bundle, which is the running program.
    private static func writer() throws -> String {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") as NSString
        return own.deletingLastPathComponent + "/file-writer"
    }

    @Test func missingDirectoryIsSaidSo() {
        let path = directory + "/none/out"
        let error = FileError(cannot: .write, path: path, errno: ENOENT)
        #expect(throws: error) { try write(to: path) }
        #expect(error.description == "\(path): cannot write: No such file or directory: create the directory first")
    }

    @Test(arguments: ["out", "link", "fifo", "/dev/null", "/dev/stderr"]) func whatCanBeWrittenIsChecked(
        _ name: String
    ) throws {
        let path = name.hasPrefix("/") ? name : "\(directory)/\(name)"
        if name == "link" { symlink("/dev/null", path) }
        if name == "fifo" { mkfifo(path, 0o600) }
        let before = try names()
        try OutputFile.checkWritable(path)
        #expect(try names() == before)
    }

    @Test(arguments: [
        ("none/out", ENOENT), ("file/out", ENOTDIR), ("", EISDIR), ("/dev/fd/4000", EBADF),
        ("/proc/nothing/out", ENOENT),
    ])
    func whatCannotBeWrittenIsRefusedBefore(_ name: String, _ code: Int32) throws {
        try fixture.write([1], to: "file")
        let path = name.hasPrefix("/") ? name : "\(directory)/\(name)"
        let error = #expect(throws: FileError.self) { try OutputFile.checkWritable(path) }
        #expect(error?.errno == code && error?.action == .write)
        #expect(try names() == ["file"])
    }
}
