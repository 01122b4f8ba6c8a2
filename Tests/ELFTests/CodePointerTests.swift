@testable import ELF
import TestFixtures
import Testing

/// Addresses of functions that the loader uses, or that relocations write.
@Suite struct CodePointerTests {
    private static let source = """
        .text
        .globl _init, _fini
        first: ret
        second: ret
        third: ret
        _init: ret
        _fini: ret
        .section .init_array, "aw", @init_array
        .quad first
        .section .fini_array, "aw", @fini_array
        .quad second
        .data
        .quad first, third, 1, second
        .skip 8 * 100
        .quad third
        """

    private func image(_ flags: [String]) throws -> (image: ELFImage, fixture: Fixture) {
        let fixture = try Fixture()
        let name = try fixture.write(Array((Self.source + "\n").utf8), to: "source.s")
        try run(
            words: [
                "clang", "--target=x86_64-linux-gnu", "-nostdlib", "-shared", "-fuse-ld=lld", "-o", "library.so", name,
            ]
                + flags, in: fixture.directory)
        return (try ELFImage(path: "\(fixture.directory)/library.so"), fixture)
    }

    private func relocated(_ image: ELFImage) throws -> [UInt64] {
        var found: [UInt64] = []
        try image.forEachRelocatedAddress { found.append($0) }
        return found.sorted()
    }

    /// The first function's address: the code begins with it.
    private func start(_ image: ELFImage) throws -> UInt64 {
        try #require(try image.sections().first { $0.name == ".text" }).address
    }

    @Test(arguments: [[], ["-Wl,--pack-dyn-relocs=relr"]])
    func relocatedAddressesAreThoseOfTheData(flags: [String]) throws {
        let (image, fixture) = try image(flags)
        let start = try start(image)
        #expect(
            try relocated(image) == [start, start, start + 1, start + 1, start + 2, start + 2])
        withExtendedLifetime(fixture) {}
    }

    /// In the file, lld leaves zeros where relocations with addends write; then only `DT_INIT` and `DT_FINI` are known.
    @Test func functionsOfTheLoaderAreThoseInTheFile() throws {
        let (plain, first) = try image([])
        let start = try start(plain)
        #expect(try plain.loaderFunctions().sorted() == [start + 3, start + 4])
        let (written, second) = try image(["-Wl,--apply-dynamic-relocs"])
        #expect(try written.loaderFunctions().sorted() == [start, start + 1, start + 3, start + 4])
        withExtendedLifetime((first, second)) {}
    }
}
