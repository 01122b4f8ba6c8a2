@testable import ELF
import Testing

/// Which libraries an image needs, and where it says that they are.
struct NeededLibrariesTests {
    private static let needed: UInt64 = 1
    private static let stringTable: UInt64 = 5
    private static let stringTableSize: UInt64 = 10
    private static let rpath: UInt64 = 15
    private static let runpath: UInt64 = 29
    private static let flags1: UInt64 = 0x6fff_fffb

    /// A library whose string table is at 0x1000, with these entries after those that say so.
    private func image(
        _ strings: String, _ entries: [(UInt64, UInt64)], statedSize: UInt64? = nil, bigEndian: Bool = false,
        is64Bit: Bool = true
    ) throws -> ELFImage {
        var dynamic = Encoder(is64Bit: is64Bit, bigEndian: bigEndian)
        let table: [(UInt64, UInt64)] = [
            (Self.stringTable, 0x1000), (Self.stringTableSize, statedSize ?? UInt64(strings.utf8.count)),
        ]
        for (tag, value) in entries + table + [(0, 0), (Self.needed, 1)] {
            dynamic.address(tag)
            dynamic.address(value)
        }
        return try ELFTests.image(
            ELFBuilder(
                is64Bit: is64Bit, bigEndian: bigEndian,
                segments: [.init(covering: ".dynstr"), .init(type: 2, covering: ".dynamic")],
                sections: [
                    .init(name: ".dynstr", address: 0x1000, bytes: Array(strings.utf8)),
                    .init(name: ".dynamic", address: 0x2000, bytes: dynamic.bytes),
                ], hasSectionHeaders: false))
    }

    private func names(_ image: ELFImage, limit: Int = 100) throws -> [String] {
        try image.neededLibraries(limit: limit).names
    }

    @Test(arguments: [false, true]) func namesAreInTheOrderOfTheFile(bigEndian: Bool) throws {
        let image = try image("\0a.so\0b.so\0", [(Self.needed, 6), (Self.needed, 1)], bigEndian: bigEndian)
        #expect(try image.neededLibraries(limit: 100) == NeededLibraries(names: ["b.so", "a.so"]))
        #expect(try names(image, limit: 1) == ["b.so"])
    }

    @Test func directoriesAreThoseOfTheNewerEntry() throws {
        let strings = "\0/old:$ORIGIN/lib\0/new\0"
        let old = try image(strings, [(Self.rpath, 1)]).neededLibraries(limit: 1)
        #expect(old.rpath == ["/old", "$ORIGIN/lib"] && old.runpath == nil && !old.skipsDefaults)
        let both = try image(strings, [(Self.rpath, 1), (Self.runpath, 18), (Self.flags1, 0x800)])
            .neededLibraries(limit: 1)
        #expect(both.rpath == [] && both.runpath == ["/new"] && both.skipsDefaults)
    }

    @Test func stringsOutsideTheTableAreLeftOut() throws {
        #expect(try names(image("\0a.so\0", [(Self.needed, 6), (Self.needed, .max), (Self.needed, 1)])) == ["a.so"])
        #expect(try names(image("\0a.so\0b.so\0", [(Self.needed, 6)], statedSize: 6)) == [])
        // It ends before the string does; and it claims to be larger than the segment.
        #expect(try names(image("\0a.so\0", [(Self.needed, 1)], statedSize: 5)) == [])
        #expect(try names(image("\0a.so\0b", [(Self.needed, 6), (Self.needed, 500)], statedSize: .max)) == [])
        #expect(try names(image("\0a.so\0", [(Self.stringTable, .max), (Self.needed, 1)])) == ["a.so"])
    }

    @Test func nameIsAtMostAsLongAsAPath() throws {
        let long = String(repeating: "a", count: 4095)
        #expect(try names(image("\0\(long)\0", [(Self.needed, 1)])) == [long])
        #expect(try names(image("\0\(long)a\0", [(Self.needed, 1)])) == [])
    }

    @Test func imageWithoutDynamicSectionNeedsNone() throws {
        let image = try ELFTests.image(ELFBuilder())
        #expect(try image.neededLibraries(limit: 100) == NeededLibraries() && image.interpreterPath() == nil)
        #expect(try self.image("\0a.so\0", [(Self.needed, 1)], is64Bit: false).neededLibraries(limit: 1).names == [])
    }

    @Test(arguments: [("/lib/ld.so\0", "/lib/ld.so"), ("/lib/ld.so", nil), ("\0", nil), ("", nil)])
    func interpreterIsAPathWithAnEnd(bytes: String, path: String?) throws {
        let image = try ELFTests.image(
            ELFBuilder(
                segments: [.init(type: 3, covering: ".interp")],
                sections: [.init(name: ".interp", bytes: Array(bytes.utf8))]))
        #expect(try image.interpreterPath() == path)
    }

    @Test func interpreterPathThatIsTooLongIsNone() throws {
        for (count, isPath) in [(4095, true), (4096, false)] {
            let path = "/" + String(repeating: "a", count: count - 1)
            let image = try ELFTests.image(
                ELFBuilder(
                    segments: [.init(type: 3, covering: ".interp")],
                    sections: [.init(name: ".interp", bytes: Array(path.utf8) + [0])]))
            #expect(try image.interpreterPath() == (isPath ? path : nil))
        }
    }
}
