import ELF
import Testing

/// The members of archives that binutils or the test itself writes.
struct ArchiveTests {
    private func members(_ path: String) throws -> [String] {
        var archive = try #require(try Archive(path: path))
        var names: [String] = []
        while let member = try archive.nextMember() {
            names.append(member.name + (member.image.map { " \($0.name.hasSuffix("(\(member.name))"))" } ?? " no ELF"))
        }
        return names
    }

    private func header(_ name: String, _ size: Int) -> [UInt8] {
        func field(_ text: String, _ width: Int) -> [UInt8] {
            Array(text.utf8) + [UInt8](repeating: 0x20, count: width - text.utf8.count)
        }
        return field(name, 16) + field("0", 12) + field("0", 6) + field("0", 6) + field("644", 8)
            + field("\(size)", 10) + [0x60, 0x0a]
    }

    private static let long = "an_object_of_a_long_name.o"

    @Test func archiveOfGNU() throws {
        let directory = try TemporaryDirectory()
        let object = ELFBuilder(type: 1).bytes
        let names = Array("\(Self.long)/\n".utf8)
        var bytes = Array("!<arch>\n".utf8) + header("/", 4) + [0, 0, 0, 0]
        bytes += header("//", names.count) + names + (names.count % 2 == 1 ? [0x0a] : [])
        bytes += header("text/", 5) + Array("text\n\n".utf8)
        bytes += header("a.o/", object.count) + object + header("/0", object.count) + object
        let path = try directory.write(bytes, to: "lib.a")
        #expect(try members(path) == ["text no ELF", "a.o true", "\(Self.long) true"])
    }

    @Test func archiveOfBSD() throws {
        let directory = try TemporaryDirectory()
        let object = ELFBuilder(type: 1).bytes
        let name = Array(Self.long.utf8) + [0, 0]
        let bytes =
            Array("!<arch>\n".utf8) + header("__.SYMDEF", 4) + [0, 0, 0, 0]
            + header("#1/\(name.count)", name.count + object.count) + name + object
        #expect(try members(directory.write(bytes, to: "lib.a")) == ["\(Self.long) true"])
    }

    /// Otherwise messages about all members with this name would contain it.
    @Test func nameOfMoreThanAPathsLengthIsMalformed() throws {
        let directory = try TemporaryDirectory()
        for (count, isRight) in [(4096, true), (4097, false)] {
            let names = [UInt8](repeating: 0x61, count: count) + [0x0a]
            let bytes =
                Array("!<arch>\n".utf8) + header("//", names.count) + names + (count % 2 == 0 ? [0x0a] : [])
                + header("/0", 4) + Array("text".utf8)
            var archive = try #require(try Archive(path: directory.write(bytes, to: "lib.a")))
            let error = elfError { try archive.nextMember() }
            #expect((error == nil) == isRight)
        }
    }

    @Test func membersOfAThinArchiveAreFilesBesideIt() throws {
        let directory = try TemporaryDirectory()
        try directory.write(ELFBuilder(type: 1).bytes, to: "sub/a.o")
        let names = Array("sub/a.o/\nsub/gone.o/\n".utf8)
        let bytes =
            Array("!<thin>\n".utf8) + header("//", names.count) + names + (names.count % 2 == 1 ? [0x0a] : [])
            + header("/9", 77) + header("/0", 1234)
        let path = try directory.write(bytes, to: "lib.a")
        var archive = try #require(try Archive(path: path))
        // A missing member costs only itself.
        let error = elfError { try archive.nextMember() }
        #expect(error?.file == "\(path)(sub/gone.o)")
        #expect(try archive.nextMember()?.image?.fileType == .relocatable)
        #expect(try archive.nextMember()?.name == nil)
    }

    @Test(arguments: ["!<arch>\nshort", "!<arch>\n" + String(repeating: "x", count: 60)])
    func malformedHeaderEndsTheArchive(_ text: String) throws {
        let directory = try TemporaryDirectory()
        var archive = try #require(try Archive(path: directory.write(Array(text.utf8), to: "lib.a")))
        #expect(elfError { try archive.nextMember() }?.offset == 8)
    }

    @Test func membersStayInsideTheFile() throws {
        let directory = try TemporaryDirectory()
        let start = Array("!<arch>\n".utf8)
        for bytes in [
            start + header("a.o/", 9_999_999_999), start + header("/77", 4) + [1, 2, 3, 4],
            start + header("#1/99", 4) + [1, 2, 3, 4], start + header("//", 1_000_000),
        ] {
            var archive = try #require(try Archive(path: directory.write(bytes, to: "lib.a")))
            #expect(elfError { try archive.nextMember() } != nil)
        }
        #expect(try Archive(path: directory.write(ELFBuilder().bytes, to: "no.a"))?.name == nil)
    }
}
