import Files
import Glibc
import LinuxProcess
import TestFixtures
import Testing

/// The files in which processes name their code may be anything.
@Suite struct CodeNameFileTests {
    private let program: RunningProgram
    private let path: String

    init() throws {
        program = try RunningProgram(["/bin/cat"])
        path = "/tmp/perf-\(program.id).map"
        unlink(path)
    }

    private func write(_ text: String, to path: String) throws {
        let file = try #require(fopen(path, "w"))
        fputs(text, file)
        fclose(file)
    }

    private func text(_ file: CodeNameFile) -> String {
        String(decoding: file.file.read(limit: 100), as: UTF8.self)
    }

    @Test func fileOfTheProcessIsFoundAndStaysReadable() throws {
        #expect(try CodeNameFile.perfMap(of: program.id) == nil)
        try write("1000 10 a\n", to: path)
        let file = try #require(try CodeNameFile.perfMap(of: program.id))
        #expect(file.name == path && text(file) == "1000 10 a\n")
        unlink(path)
        program.end()
        #expect(text(file) == "1000 10 a\n")
        #expect(try CodeNameFile.perfMap(of: program.id) == nil)
    }

    @Test func otherKindsOfFilesAreNotOpened() throws {
        defer { unlink(path) }
        try write("1000 10 a\n", to: path + "2")
        defer { unlink(path + "2") }
        try #require(symlink(path + "2", path) == 0)
        #expect(throws: ProcessError.untrustedNames(program.id, path)) { try CodeNameFile.perfMap(of: program.id) }
        unlink(path)
        // Opening it would block.
        try #require(mkfifo(path, 0o600) == 0)
        #expect(throws: ProcessError.untrustedNames(program.id, path)) { try CodeNameFile.perfMap(of: program.id) }
        unlink(path)
        try #require(mkdir(path, 0o700) == 0)
        #expect(throws: ProcessError.untrustedNames(program.id, path)) { try CodeNameFile.perfMap(of: program.id) }
        rmdir(path)
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away")) func filesOfOtherUsersAreIgnored() throws {
        defer { unlink(path) }
        try write("1000 10 a\n", to: path)
        try #require(chown(path, 65534, 65534) == 0)
        #expect(throws: ProcessError.untrustedNames(program.id, path)) { try CodeNameFile.perfMap(of: program.id) }
    }

    @Test func dumpsAreKnownByTheirName() throws {
        for path in ["/tmp/jit-12.dump", "/root/.debug/jit/x.Ab/jit-1.dump", "jit-0.dump"] {
            #expect(CodeNameFile.isJITDump(path))
        }
        let others = [
            "/tmp/jit-.dump", "/tmp/jit-1a.dump", "/tmp/jit-1.dump/x", "/tmp/xjit-1.dump", "jit-1.dump (deleted)", "",
        ]
        for path in others {
            #expect(!CodeNameFile.isJITDump(path))
        }
        #expect(try CodeNameFile.jitDump(mappedAs: "/tmp/no/jit-1.dump", by: program.id) == nil)
    }

    /// As in a container: another pid namespace and another root directory, where an absolute link doesn't lead out.
    @Test(.enabled(if: geteuid() == 0, "needs root, for namespaces and chroot(2)"))
    func fileIsSearchedWithTheProcessesOwnRootAndID() throws {
        let fixture = try Fixture()
        let root = fixture.directory
        try fixture.write(Array("1000 10 inside\n".utf8), to: "elsewhere/perf-1.map")
        try #require(symlink("/elsewhere", root + "/tmp") == 0)
        try fixture.write(Array(Self.waiter.utf8), to: "wait.c")
        try run("gcc", "-static", "-o", "wait", "wait.c", in: root)
        let container = try RunningProgram(["/usr/bin/unshare", "--pid", "--fork", "/usr/sbin/chroot", root, "/wait"])
        defer { container.end() }
        #expect(try container.line() == "ready")
        let children = "/proc/\(container.id)/task/\(container.id)/children"
        let child = try #require(SystemFile.firstLine(children)?.split(separator: " ").first.flatMap { Int32($0) })
        let file = try #require(try CodeNameFile.perfMap(of: child))
        #expect(text(file) == "1000 10 inside\n" && file.name == "/tmp/perf-1.map")
    }

    private static let waiter = "#include <unistd.h>\nint main(void) { write(1, \"ready\\n\", 6); return pause(); }\n"
}
