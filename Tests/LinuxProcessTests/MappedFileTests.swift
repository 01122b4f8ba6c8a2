import ELF
import Files
import Glibc
import TestFixtures
import Testing
@testable import LinuxProcess

/// Finds the file that a process maps.
@Suite struct MappedFileTests {
    private let mapping = ExecutableMapping(
        start: 0x10000, end: 0x30000, offset: 0x2000, device: 8 << 32 | 1, inode: 42, path: "/usr/lib/lib.so")

    private func candidate(
        _ path: String, device: UInt64 = 8 << 32 | 1, inode: UInt64 = 42, isLink: Bool = false
    ) -> MappedFile.Candidate {
        MappedFile.Candidate(
            path: path, identity: FileIdentity(device: 0, inode: inode, size: 0, changeNanoseconds: 0),
            file: FileNumber(device: device, inode: inode), isLink: isLink)
    }

    private func choice(_ candidates: [MappedFile.Candidate]) -> (String, Bool)? {
        MappedFile.choose(candidates, for: mapping).map { ($0.path, $0.isCertain(mapping)) }
    }

    @Test func nameWithTheSameDeviceAndInodeIsIt() throws {
        #expect(try #require(choice([candidate("name"), candidate("link", isLink: true)])) == ("name", true))
    }

    @Test func otherFileOfThatNameIsNotIt() throws {
        #expect(choice([candidate("name", inode: 43)]) == nil)
        let found = choice([candidate("name", inode: 43), candidate("link", device: 9, inode: 43, isLink: true)])
        #expect(try #require(found) == ("link", true))
    }

    /// Another file system may be mounted over the path, with the same inode number for another file.
    @Test func sameInodeOfAnotherDeviceIsNotCertain() throws {
        #expect(try #require(choice([candidate("name", device: 8 << 32 | 2)])) == ("name", false))
        let found = choice([candidate("name", device: 8 << 32 | 2), candidate("program")])
        #expect(try #require(found) == ("program", true))
    }

    @Test func sameDeviceIsNotEnough() {
        #expect(choice([candidate("name", inode: 41), candidate("program", inode: 44)]) == nil)
    }

    @Test func ownProgramIsFoundWithItsDevice() throws {
        let mapping = try #require(try MemoryMap(of: getpid()).mappings.first { $0.path.contains("libc.so") })
        let file = try #require(MappedFile(mapping, in: getpid()))
        var status = stat()
        try #require(stat(mapping.path, &status) == 0)
        #expect(file.identity == FileIdentity(status))
        // overlayfs and btrfs report different devices.
        #expect(file.isCertain == (FileNumber(status) == mapping.file) || file.path.contains("map_files"))
        #expect(ProcessMemory(of: getpid()).has(file, mapping))
    }

    /// A process of a few milliseconds has ended by the time that its mappings are read.
    @Test func fileOfAProcessThatHasEndedIsFoundByItsName() throws {
        let mapping = try #require(try MemoryMap(of: getpid()).mappings.first { $0.path.contains("libc.so") })
        let nobody: Int32 = 2_147_483_647
        var status = stat()
        try #require(stat(mapping.path, &status) == 0)
        let file = MappedFile(mapping, in: nobody)
        // overlayfs and btrfs report different devices: then only the memory could tell.
        if FileNumber(status) == mapping.file { #expect(file?.path == mapping.path && file?.isCertain == true) }
        #expect(try file?.image().identity == file?.identity)
        var other = mapping
        other.inode += 1
        #expect(MappedFile(other, in: nobody) == nil)
    }

    /// A made-up mapping of one page of a file. No process has exactly this mapping, so the kernel has no link for it.
    private func mapping(_ path: String, at start: UInt64 = 0x1000) throws -> ExecutableMapping {
        var status = stat()
        try #require(stat(path, &status) == 0)
        let number = FileNumber(status)
        return ExecutableMapping(
            start: start, end: start + 0x1000, offset: 0, device: number.device, inode: number.inode, path: path)
    }

    /// A process can put anything at the path. Opening a FIFO would block, and opening a device may have side effects.
    @Test func onlyAFileThatIsOneIsTaken() throws {
        let fixture = try Fixture()
        let path = fixture.directory + "/fifo"
        try #require(mkfifo(path, 0o600) == 0)
        let fifo = try mapping(path)
        try #require(fifo.isFile)
        withExtendedLifetime(fixture) { #expect(MappedFile(fifo, in: getpid()) == nil) }
    }

    /// The path may refer to another file by the time it is opened.
    @Test func otherFileWithTheSameBytesIsNotTheOneThatWasFound() throws {
        let fixture = try Fixture()
        let bytes = [UInt8](repeating: 0x90, count: 0x2000)
        let (one, other) = (try fixture.write(bytes, to: "one"), try fixture.write(bytes, to: "other"))
        let link = fixture.directory + "/link"
        try #require(symlink(one, link) == 0)
        let file = open(one, O_RDONLY)
        defer { close(file) }
        let memory = try #require(mmap(nil, bytes.count, PROT_READ, MAP_PRIVATE, file, 0))
        try #require(memory != MAP_FAILED)
        defer { munmap(memory, bytes.count) }
        let mapping = try mapping(link, at: UInt64(UInt(bitPattern: memory)))
        let found = try #require(MappedFile(mapping, in: getpid()))
        #expect(ProcessMemory(of: getpid()).has(found, mapping))
        try #require(unlink(link) == 0 && symlink(other, link) == 0)
        #expect(!ProcessMemory(of: getpid()).has(found, mapping))
    }

    // MARK: Contents

    private func isSame(changing offset: Int?, in count: Int = 0x20000) -> Bool {
        var random = SeededGenerator(seed: 1)
        let file = (0..<0x2000 + count).map { _ in UInt8.random(in: 0...255, using: &random) }
        var memory = Array(file[0x2000...])
        if let offset { memory[offset] ^= 1 }
        return ProcessMemory.isSame(
            mapping, file: { offset, count in Array(file.dropFirst(Int(offset)).prefix(count)) },
            memory: { address, count in Array(memory.dropFirst(Int(address - 0x10000)).prefix(count)) })
    }

    @Test func fileIsComparedWithTheMemoryAllOverIt() {
        #expect(isSame(changing: nil))
        for part in 0..<16 { #expect(!isSame(changing: part * 0x2000 + 17), "\(part)") }
    }

    @Test func whatCannotBeReadIsNotTheSame() {
        #expect(!ProcessMemory.isSame(mapping, file: { _, _ in [] }, memory: { _, _ in [] }))
        #expect(
            !ProcessMemory.isSame(
                mapping, file: { _, count in Array(repeating: 1, count: count) }, memory: { _, _ in [] }))
    }
}
