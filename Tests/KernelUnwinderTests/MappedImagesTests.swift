import ELF
import Files
import Glibc
import LinuxProcess
import TestFixtures
import Testing
@testable import KernelUnwinder

/// The choice of a mapping's image, while files change.
@Suite(
    .enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"),
    .timeLimit(.minutes(30)))
struct MappedImagesTests {
    private let fixture: Fixture
    private let unwinder: KernelUnwinder
    private var images: MappedImages { unwinder.images }

    init() throws {
        fixture = try Fixture()
        unwinder = try KernelUnwinder()
    }

    /// A library with one function of `size` bytes.
    private func library(_ size: Int) throws -> String {
        try fixture.library(".text\n.cfi_startproc\n.fill \(size), 1, 0x90\n.cfi_endproc\n")
    }

    /// A mapping of the file in this process, which isn't really mapped.
    private func mapping(_ path: String, of file: String? = nil) throws -> ExecutableMapping {
        var status = stat()
        try #require((file ?? path).withPath { stat($0, &status) } == 0)
        let number = FileNumber(status)
        return ExecutableMapping(
            start: 0x1000, end: 0x3000, offset: 0, device: number.device, inode: number.inode, path: path)
    }

    /// A file of another file system may have the same path and inode, and the kernel may report two devices for one
    /// file.
    @Test func fileOfAnotherDeviceIsComparedWithTheMemory() throws {
        var mapping = try mapping(try library(64))
        #expect(images.image(of: mapping, in: getpid(), waitsForTables: true).hasTable)
        mapping.device += 1
        let image = images.image(of: mapping, in: getpid(), waitsForTables: true)
        #expect(!image.hasTable && image.image == nil)
        #expect(image.problem?.contains("is not the mapped one") == true, "\(image.problem ?? "")")
    }

    /// A process may redirect the path between two accesses; the file itself is unaffected.
    @Test func pathThatLeadsElsewhereSaysNothingOfTheFile() throws {
        let (first, second) = (fixture.directory + "/first", fixture.directory + "/second")
        for (directory, size) in [(first, 64), (second, 128)] {
            try #require(mkdir(directory, 0o755) == 0)
            try run("cp", try library(size), directory + "/lib.so")
        }
        let link = fixture.directory + "/link"
        func lead(to directory: String) throws {
            unlink(link)
            try #require(symlink(directory, link) == 0)
        }
        try lead(to: first)
        let mapping = try mapping(link + "/lib.so")
        images.prepare([mapping], of: getpid())
        try lead(to: second)
        let image = images.image(of: mapping, in: getpid(), waitsForTables: true)
        #expect(image.image == nil && image.problem != nil)
        images.finishProcess(waitsForTables: true)
        try lead(to: first)
        #expect(images.image(of: mapping, in: getpid(), waitsForTables: true).hasTable)
    }

    /// What can't be opened for one process, which may have ended, may be opened for the next one.
    @Test func fileThatCouldNotBeOpenedIsOpenedLater() throws {
        let path = try library(64), link = fixture.directory + "/link.so"
        try #require(symlink(path, link) == 0)
        let mapping = try mapping(link)
        images.prepare([mapping], of: getpid())
        try #require(unlink(link) == 0)
        let image = images.image(of: mapping, in: getpid(), waitsForTables: true)
        #expect(!image.hasTable && image.problem != nil && !image.isGone)
        images.finishProcess(waitsForTables: true)
        try #require(symlink(path, link) == 0)
        #expect(images.image(of: mapping, in: getpid(), waitsForTables: true).hasTable)
    }

    @Test func processThatHasEndedIsNoProblemOfTheFile() throws {
        var mapping = try mapping(try library(64))
        let path = mapping.path
        mapping.path = "/missing/library.so"
        let image = images.image(of: mapping, in: 2_147_483_647, waitsForTables: true)
        #expect(!image.hasTable && image.problem != nil && image.isGone)
        #expect(!images.image(of: mapping, in: getpid(), waitsForTables: true).isGone)
        mapping.path = path
        #expect(images.image(of: mapping, in: 2_147_483_647, waitsForTables: true).hasTable)
    }

    /// Information about files is valid for one reading.
    @Test func fileThatIsWrittenAnewIsLookedAtAgain() throws {
        let path = fixture.directory + "/written.so"
        try run("cp", try library(64), path)
        let mapping = try mapping(path)
        images.prepare([mapping], of: getpid())
        let before = images.image(of: mapping, in: getpid(), waitsForTables: true)
        #expect(before.hasTable)
        images.finishProcess(waitsForTables: true)
        // In place, so the inode stays the same.
        try fixture.write(try contents(try library(128)), to: "new.so")
        try run("dd", "if=\(fixture.directory)/new.so", "of=\(path)", "status=none")
        #expect(try self.mapping(path).file == mapping.file)
        let image = images.image(of: mapping, in: getpid(), waitsForTables: true)
        #expect(image.hasTable && image !== before, "\(image.problem ?? "")")
    }

    /// Copies of a file share a table, which is withdrawn with the last of them.
    @Test func tableStaysAsLongAsAFileOfItIsMapped() throws {
        let path = try library(64), copy = fixture.directory + "/copy.so"
        try run("cp", path, copy)
        let kept = images.image(of: try mapping(path), in: getpid(), waitsForTables: true)
        let gone = images.image(of: try mapping(copy), in: getpid(), waitsForTables: true)
        try #require(kept !== gone && kept.hasTable && gone.hasTable && unwinder.memoryUse.tables == 1)
        kept.users += 1
        images.retireUnused()
        #expect(kept.hasTable && !gone.hasTable && unwinder.memoryUse.tables == 1)
        kept.users -= 1
        images.retireUnused()
        #expect(!kept.hasTable && unwinder.memoryUse.tables == 0)
    }

    /// Its content could change between the computation of its key and the compilation of its table: docs/security.md.
    @Test func fileThatOthersCanWriteSharesNoTable() throws {
        let path = try library(64), writable = fixture.directory + "/writable.so"
        try run("cp", path, writable)
        try #require(chmod(writable, 0o666) == 0)
        let one = images.image(of: try mapping(path), in: getpid(), waitsForTables: true)
        // The same if the user added a table, of something else.
        try unwinder.addTable(MadeTable([.init(0x1000, length: 0x100)]).view)
        let other = images.image(of: try mapping(writable), in: getpid(), waitsForTables: true)
        #expect(one.hasTable && other.hasTable && one.table !== other.table)
    }

    @Test func sameFileIsOneImageAndSoIsTheVDSO() throws {
        let map = try MemoryMap(of: getpid())
        let one = ProcessImages(map, images, waitsForTables: true),
            two = ProcessImages(map, images, waitsForTables: true)
        #expect(one.isSame(as: two) && one.images.count == two.images.count && !one.images.isEmpty)
        #expect(zip(one.images, two.images).allSatisfy { $0 === $1 })
    }
}
