import ELF
import Glibc
import Testing

struct OpeningTests {
    @Test func emptyFileIsNamedAsSuch() {
        #expect(openingError([])?.kind == .empty)
    }

    @Test func textIsNotELF() {
        #expect(openingError(Array("#!/bin/sh\n".utf8))?.kind == .notELF)
        #expect(openingError([0x7f])?.kind == .notELF)
    }

    @Test func archiveIsNotELF() {
        #expect(openingError(Array("!<arch>\n".utf8))?.kind == .notELF)
    }

    @Test(arguments: [true, false])
    func headerCutOffAnywhereIsMalformed(is64Bit: Bool) throws {
        let bytes = ELFBuilder(is64Bit: is64Bit).bytes
        for count in 4..<(is64Bit ? 64 : 52) {
            let error = try #require(openingError(Array(bytes[..<count])))
            #expect(error.isMalformed && error.offset == UInt64(count))
        }
    }

    @Test func unknownClassAndByteOrderAreMalformed() {
        var bytes = ELFBuilder().bytes
        bytes[4] = 3
        #expect(openingError(bytes)?.offset == 4)
        bytes[4] = 2
        bytes[5] = 0
        #expect(openingError(bytes)?.offset == 5)
    }

    @Test func missingFileGivesErrno() {
        #expect(elfError { try ELFImage(path: "/nonexistent/file") }?.kind == .cannotOpen(errno: ENOENT))
    }

    @Test func directoryIsRefused() {
        #expect(elfError { try ELFImage(path: "/usr/lib") }?.kind == .notRegularFile)
    }

    @Test func fifoIsRefusedWithoutBlocking() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/fifo"
        try #require(mkfifo(path, 0o600) == 0)
        #expect(elfError { try ELFImage(path: path) }?.kind == .notRegularFile)
    }

    @Test func fifoBehindADescriptorIsRefused() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/fifo"
        try #require(mkfifo(path, 0o600) == 0)
        let descriptor = open(path, O_RDONLY | O_NONBLOCK)
        #expect(elfError { try ELFImage(descriptor: descriptor, path: path) }?.kind == .notRegularFile)
    }

    @Test func deviceIsRefused() {
        #expect(elfError { try ELFImage(path: "/dev/null") }?.kind == .notRegularFile)
    }

    @Test func fileAndMemoryGiveTheSame() throws {
        let bytes = ELFBuilder(
            segments: [.init(flags: 5, covering: ".text")],
            sections: [.init(name: ".text", flags: ELFBuilder.code, address: 0x1000, bytes: [1, 2, 3])]
        ).bytes
        let directory = try TemporaryDirectory()
        let path = try directory.write(bytes, to: "a.so")
        let file = try ELFImage(path: path)
        let descriptor = try ELFImage(descriptor: open(path, O_RDONLY), path: path)
        let memory = try ELFImage(bytes: bytes, name: "memory")
        for image in [file, descriptor, memory] {
            #expect(image.size == UInt64(bytes.count))
            #expect(image.headerBytes == Array(bytes[..<64]))
            #expect(image.programHeaderBytes == Array(bytes[64..<120]))
            #expect(try image.contents(of: ".text") == [1, 2, 3])
            #expect(try image.sections() == memory.sections())
        }
        #expect(file.identity?.size == UInt64(bytes.count))
        #expect(file.identity == descriptor.identity)
        #expect(memory.identity == nil)
    }

    @Test(arguments: [true, false], [true, false])
    func everyClassAndByteOrderReadsTheSame(is64Bit: Bool, bigEndian: Bool) throws {
        let image = try image(
            ELFBuilder(
                is64Bit: is64Bit, bigEndian: bigEndian, machine: 183,
                segments: [.init(flags: 5, covering: ".text")],
                sections: [.init(name: ".text", flags: ELFBuilder.code, address: 0x12345, bytes: [1, 2, 3, 4])]))
        #expect(image.is64Bit == is64Bit && image.isBigEndian == bigEndian)
        #expect(image.machine == .aarch64 && image.fileType == .sharedObject)
        #expect(image.executableSegments == [0x12345..<0x12349])
        let sections = try image.sections()
        #expect(sections.map(\.name) == ["", ".text", ".shstrtab"])
        #expect(sections[1].address == 0x12345 && sections[1].size == 4 && sections[1].isExecutable)
    }

    @Test func programHeadersPastTheEndAreMalformed() throws {
        var layout = ELFBuilder(segments: [.init(flags: 5)]).layout()
        layout.patch(UInt16(1000), at: 56)  // e_phnum
        #expect(try #require(openingError(layout.bytes)).isMalformed)
        layout.patch(UInt16(1), at: 56)
        layout.patch(UInt64.max - 8, at: 32)  // e_phoff
        #expect(try #require(openingError(layout.bytes)).offset == UInt64.max - 8)
    }

    @Test func numberOfProgramHeadersInSectionZeroIsChecked() throws {
        var layout = ELFBuilder(segments: [.init(flags: 5)]).layout()
        layout.patch(UInt16(0xffff), at: 56)  // e_phnum = PN_XNUM
        layout.patch(UInt32(1), at: layout.sectionHeaders + 44)  // sh_info
        #expect(try ELFImage(bytes: layout.bytes, name: "test").segments.count == 1)
        layout.patch(UInt32.max, at: layout.sectionHeaders + 44)
        #expect(try #require(openingError(layout.bytes)).isMalformed)
    }

    @Test func machinesHaveNames() {
        #expect(Machine.x86_64.name == "x86-64")
        #expect(Machine(rawValue: 183).name == "aarch64")
        #expect(Machine(rawValue: 0xbeef).name == "machine 0xbeef")
    }

    @Test func errorsNameFileSectionAndOffset() {
        let error = ELFError(file: "a.so", section: ".eh_frame", offset: 0x12, kind: .malformed("is odd"))
        #expect("\(error)" == "a.so: .eh_frame+0x12: is odd")
        #expect("\(ELFError(file: "a.so", offset: 4, kind: .malformed("is odd")))" == "a.so: offset 0x4: is odd")
        let missing = ELFError(file: "a.so", kind: .cannotOpen(errno: ENOENT))
        #expect("\(missing)" == "a.so: cannot open: No such file or directory")
    }

    @Test func fileThatShrinksIsAnErrorAndNoSignal() throws {
        let directory = try TemporaryDirectory()
        let bytes = ELFBuilder(sections: [.init(name: ".text", bytes: Array(repeating: 1, count: 100_000))]).bytes
        let path = try directory.write(bytes, to: "a.so")
        let image = try ELFImage(path: path)
        let text = try image.sections()[1]
        try #require(truncate(path, 4096) == 0)
        #expect(elfError { try image.bytes(of: text) }?.section == ".text")
    }
}
