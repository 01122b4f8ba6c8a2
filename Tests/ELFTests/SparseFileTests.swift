import ELF
import Glibc
import Testing

/// Files of 200 GiB that are a hole except for a few kilobytes: the work must be in proportion to the kilobytes.
@Suite(.timeLimit(.minutes(30))) struct SparseFileTests {
    static let size: UInt64 = 200 << 30

    /// Writes the file and extends it to `size` bytes; nil if the file system has no sparse files.
    private func sparse(_ bytes: [UInt8], in directory: TemporaryDirectory) throws -> String? {
        let path = try directory.write(bytes, to: "sparse")
        guard truncate(path, off_t(Self.size)) == 0 else { return nil }
        var status = stat()
        return stat(path, &status) == 0 && status.st_blocks < 2048 ? path : nil
    }

    /// A file whose section with this name claims 199 GiB of the hole.
    private func claiming(_ name: String, type: UInt32 = 1, bytes: [UInt8] = [1]) -> [UInt8] {
        ELFBuilder(sections: [
            .init(name: ".text", flags: ELFBuilder.code, address: 0x1000, bytes: [0xc3]),
            .init(name: name, type: type, bytes: bytes, link: 3, statedSize: 199 << 30, statedOffset: 0x1000),
            .init(name: ".strtab", type: 3, bytes: [0]),
        ]).bytes
    }

    @Test(arguments: [".debug_frame", ".eh_frame", ".zdebug_frame"])
    func callFrameSectionOfHoles(_ name: String) throws {
        let directory = try TemporaryDirectory()
        guard let path = try sparse(claiming(name), in: directory) else { return }
        let image = try ELFImage(path: path)
        let error = elfError { try image.callFrameSections(name == ".eh_frame" ? .ehFrame : .debugFrame) }
        #expect(error?.section == name && error?.isMalformed == true)
        if name != ".zdebug_frame" { #expect(error?.description.contains("are not holes") == true) }
        #expect(elfError { try image.checkSectionSizes() } != nil)
    }

    @Test func symbolTableOfHoles() throws {
        let directory = try TemporaryDirectory()
        guard let path = try sparse(claiming(".symtab", type: 2), in: directory) else { return }
        let image = try ELFImage(path: path)
        #expect(elfError { try image.functionSymbols() }?.section == ".symtab")
    }

    @Test func notesOfHoles() throws {
        let directory = try TemporaryDirectory()
        guard let path = try sparse(claiming(".note", type: 7), in: directory) else { return }
        let image = try ELFImage(path: path)
        #expect(elfError { try image.buildID() } != nil)
    }

    /// If e_shnum is 0, or e_phnum is 0xffff, the number is in section header 0.
    @Test(arguments: [true, false])
    func tablesOfHoles(_ isSections: Bool) throws {
        let directory = try TemporaryDirectory()
        var layout = ELFBuilder(
            segments: [.init(covering: ".text")],
            sections: [.init(name: ".text", flags: ELFBuilder.code, bytes: [0xc3])]
        ).layout()
        if isSections {
            layout.patch(UInt16(0), at: 60)
            layout.patch(UInt64(3_000_000_000), at: layout.sectionHeaders + 32)
        } else {
            layout.patch(UInt16(0xffff), at: 56)
            layout.patch(UInt32(3_000_000_000), at: layout.sectionHeaders + 44)
        }
        guard let path = try sparse(layout.bytes, in: directory) else { return }
        let error = elfError { try ELFImage(path: path) }
        #expect(error?.isMalformed == true)
        #expect(error?.description.contains("3000000000") == true)
    }

    @Test func denseFilesAreReadWholly() throws {
        // A section of 8 MiB, a quarter of it a hole.
        let directory = try TemporaryDirectory()
        var bytes = [UInt8](repeating: 7, count: 6 << 20)
        bytes += [UInt8](repeating: 0, count: 2 << 20)
        let layout = ELFBuilder(sections: [.init(name: ".debug_frame", bytes: bytes)]).layout()
        let path = try directory.write(layout.bytes, to: "dense")
        try #require(system("cp --sparse=always '\(path)' '\(path).sparse'") == 0)
        for path in [path, path + ".sparse"] {
            let image = try ELFImage(path: path)
            #expect(try image.callFrameSection(.debugFrame)?.bytes.count == bytes.count)
            try image.checkSectionSizes()
        }
    }
}
