import ELF
import Glibc
import Testing

struct DebugFileTests {
    let id: [UInt8] = [0xab, 0xcd, 0xef, 0x01]

    private func idSection(_ id: [UInt8]) -> ELFBuilder.Section {
        .init(name: ".note.gnu.build-id", type: 7, bytes: buildIDNote(id))
    }

    private func linkSection(_ name: String, crc: UInt32, bigEndian: Bool = false) -> ELFBuilder.Section {
        let string = Array(name.utf8) + [0]
        return .init(
            name: ".gnu_debuglink",
            bytes: string + Array(repeating: 0, count: -string.count & 3) + encoded(crc, bigEndian: bigEndian))
    }

    /// CRC-32 of IEEE 802.3, bit by bit.
    private func crc32(_ bytes: [UInt8]) -> UInt32 {
        var crc = UInt32.max
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xedb8_8320 : crc >> 1 }
        }
        return ~crc
    }

    @Test(arguments: ["a", "ab", "abc", "abcd", "libx.so.debug"], [true, false])
    func debugLinkIsReadWhateverItsPadding(name: String, bigEndian: Bool) throws {
        let section = linkSection(name, crc: 0x1234_5678, bigEndian: bigEndian)
        let link = try #require(try image(ELFBuilder(bigEndian: bigEndian, sections: [section])).debugLink())
        #expect(link.name == name && link.crc == 0x1234_5678)
    }

    @Test func debugLinkThatIsCutOffOrNamesNoFileIsMalformed() throws {
        var section = linkSection("abc", crc: 1)
        for count in 0..<section.bytes.count {
            section.bytes = Array(linkSection("abc", crc: 1).bytes[..<count])
            let image = try image(ELFBuilder(sections: [section]))
            #expect(elfError { try image.debugLink() }?.section == ".gnu_debuglink")
        }
        for name in ["", "../../etc/passwd", "/x"] {
            let image = try image(ELFBuilder(sections: [linkSection(name, crc: 1)]))
            #expect(elfError { try image.debugLink() }?.isMalformed == true)
        }
        #expect(try image(ELFBuilder()).debugLink() == nil)
    }

    @Test func isFoundByBuildID() throws {
        let directory = try TemporaryDirectory()
        let debug = ELFBuilder(sections: [idSection(id), .init(name: ".debug_frame", bytes: [1])])
        let path = try directory.write(debug.bytes, to: "debug/.build-id/ab/cdef01.debug")
        let binary = try directory.write(ELFBuilder(sections: [idSection(id)]).bytes, to: "bin/a")
        let search = DebugFileSearch(directories: ["/nonexistent", directory.path + "/debug"])
        let found = try search.find(for: ELFImage(path: binary), path: binary)
        #expect(found.image?.name == path && found.rejected.isEmpty)
    }

    @Test func anotherBuildIDIsRejected() throws {
        let directory = try TemporaryDirectory()
        let debug = ELFBuilder(sections: [idSection([1, 2, 3, 4])])
        let path = try directory.write(debug.bytes, to: "debug/.build-id/ab/cdef01.debug")
        let binary = try directory.write(ELFBuilder(sections: [idSection(id)]).bytes, to: "bin/a")
        let found = try DebugFileSearch(directories: [directory.path + "/debug"])
            .find(for: ELFImage(path: binary), path: binary)
        #expect(found.image == nil && found.rejected.map(\.file) == [path])
    }

    @Test(arguments: ["bin/a.debug", "bin/.debug/a.debug", "debug/ROOT/bin/a.debug"])
    func isFoundByDebugLinkAndChecksum(place: String) throws {
        let directory = try TemporaryDirectory()
        // More than 64 KiB, so that the checksum is computed in several pieces.
        let frame = ELFBuilder.Section(name: ".debug_frame", bytes: Array(repeating: 5, count: 100_000))
        let debug = ELFBuilder(sections: [frame]).bytes
        let resolved = try #require(realpath(directory.path, nil))
        defer { free(resolved) }
        let root = String(cString: resolved)
        let path = try directory.write(debug, to: place.replacing("ROOT", with: root.dropFirst()))
        let binary = try directory.write(
            ELFBuilder(sections: [linkSection("a.debug", crc: crc32(debug))]).bytes, to: "bin/a")
        let search = DebugFileSearch(directories: [directory.path + "/debug"])
        let found = try search.find(for: ELFImage(path: binary), path: binary)
        #expect(found.image?.name == path || found.image?.name == path.replacing(directory.path, with: root))

        let stale = try directory.write(
            ELFBuilder(sections: [linkSection("a.debug", crc: 1)]).bytes, to: "bin/b")
        let rejected = try search.find(for: ELFImage(path: stale), path: stale)
        #expect(rejected.image == nil && rejected.rejected.count == 1)
    }

    @Test func debugLinkToAFileOfAnotherBuildIDIsRejectedEvenIfTheChecksumFits() throws {
        let directory = try TemporaryDirectory()
        let debug = ELFBuilder(sections: [idSection([1, 2, 3, 4])]).bytes
        try directory.write(debug, to: "a.debug")
        let binary = try directory.write(
            ELFBuilder(sections: [idSection(id), linkSection("a.debug", crc: crc32(debug))]).bytes, to: "a")
        let found = try DebugFileSearch(directories: []).find(for: ELFImage(path: binary), path: binary)
        #expect(found.image == nil && found.rejected.count == 1)
    }

    @Test func malformedLinkAndNotesLeaveTheOtherWays() throws {
        let directory = try TemporaryDirectory()
        let debug = try directory.write(
            ELFBuilder(sections: [idSection(id), .init(name: ".debug_frame", bytes: [1])]).bytes,
            to: ".build-id/ab/cdef01.debug")
        let link = ELFBuilder.Section(name: ".gnu_debuglink", bytes: [0x61])
        let binary = try directory.write(ELFBuilder(sections: [idSection(id), link]).bytes, to: "a")
        let found = try DebugFileSearch(directories: [directory.path]).find(for: ELFImage(path: binary), path: binary)
        #expect(found.image?.name == debug)
        #expect(found.rejected.map(\.section) == [".gnu_debuglink"])

        // A truncated note counts as none, so the link's checksum decides.
        let other = ELFBuilder(sections: [.init(name: ".debug_frame", bytes: [2])]).bytes
        try directory.write(other, to: "b.debug")
        let note = ELFBuilder.Section(name: ".note.x", type: 7, bytes: [4, 0, 0, 0, 255, 0, 0, 0, 3, 0, 0, 0])
        let cut = try directory.write(
            ELFBuilder(sections: [note, linkSection("b.debug", crc: crc32(other))]).bytes, to: "b")
        let second = try DebugFileSearch(directories: []).find(for: ELFImage(path: cut), path: cut)
        #expect(second.image?.name.hasSuffix("/b.debug") == true)
    }

    @Test(.timeLimit(.minutes(30))) func debugFileOfHolesIsRejectedUnread() throws {
        let directory = try TemporaryDirectory()
        let debug = try directory.write(ELFBuilder().bytes, to: "a.debug")
        guard truncate(debug, 200 << 30) == 0 else { return }
        let binary = try directory.write(ELFBuilder(sections: [linkSection("a.debug", crc: 1)]).bytes, to: "a")
        let found = try DebugFileSearch(directories: []).find(for: ELFImage(path: binary), path: binary)
        #expect(found.image == nil)
        #expect(found.rejected.first?.description.contains("a checksum over 214748364800 bytes") == true)
    }

    @Test func imageIsNotItsOwnDebugFile() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write(
            ELFBuilder(sections: [idSection(id)]).bytes, to: ".build-id/ab/cdef01.debug")
        let found = try DebugFileSearch(directories: [directory.path]).find(for: ELFImage(path: path), path: path)
        #expect(found.image == nil && found.rejected.isEmpty)
    }

    @Test func brokenCandidateIsRejectedAndTheNextIsTaken() throws {
        let directory = try TemporaryDirectory()
        try directory.write(Array("text".utf8), to: "one/.build-id/ab/cdef01.debug")
        let path = try directory.write(
            ELFBuilder(sections: [idSection(id)]).bytes, to: "two/.build-id/ab/cdef01.debug")
        let image = try image(ELFBuilder(sections: [idSection(id)]))
        let search = DebugFileSearch(directories: [directory.path + "/one", directory.path + "/two"])
        let found = search.find(for: image, path: "/nonexistent")
        #expect(found.image?.name == path && found.rejected.map(\.kind) == [.notELF])
    }
}
