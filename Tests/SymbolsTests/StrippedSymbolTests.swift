import ELF
import Symbols
import TestFixtures
import Testing

/// Stripped files get their names from their debug files.
@Suite struct StrippedSymbolTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    /// A library with an exported function and, 16 bytes behind it, one that only `.symtab` names.
    private func library() throws -> (path: String, start: UInt64) {
        let path = try fixture.library(
            """
            .text
            .p2align 12
            .weak also, exported
            .type also, @function
            .type exported, @function
            also:
            exported:
            .fill 16, 1, 0x90
            .size exported, 16
            .size also, 16
            .type hidden, @function
            hidden:
            .fill 16, 1, 0x90
            .size hidden, 16
            """, flags: ["-Wl,--build-id=sha1"])
        let image = try ELFImage(path: path)
        let segment = try #require(image.segments.first { $0.isLoad && $0.isExecutable })
        let start = (segment.virtualAddress + 0xfff) & ~0xfff
        #expect(try image.functionSymbols().lookup(start + 16)?.name == "hidden")
        return (path, start)
    }

    /// The names of both functions.
    private func names(_ path: String, _ start: UInt64, _ search: DebugFileSearch?) throws -> [String?] {
        let names = ImageNames(try ELFImage(path: path), debugFiles: search)
        #expect(names.problems.isEmpty)
        return [0, 16].map { names.lookup(start + $0)?.name }
    }

    @Test func symbolsOfTheSeparateDebugFileAreUsed() throws {
        let (path, start) = try library()
        let debug = fixture.directory + "/lib.so.debug"
        try run("objcopy", "--only-keep-debug", path, debug)
        try run("objcopy", "--strip-all", "--add-gnu-debuglink=\(debug)", path)
        let without = try names(path, start, nil)
        #expect(["exported", "also"].contains(without[0]) && without[1] == nil)
        #expect(try names(path, start, DebugFileSearch(directories: [])) == [without[0], "hidden"])
        // Another file's debug file isn't this one's.
        _ = try fixture.library(".text\nother:\nret", named: "other.so", flags: ["-Wl,--build-id=sha1"])
        try run("cp", fixture.directory + "/other.so", debug)
        let stripped = ImageNames(try ELFImage(path: path), debugFiles: DebugFileSearch(directories: []))
        #expect(stripped.lookup(start + 16) == nil)
        #expect(stripped.problems.map { "\($0)".contains("different build id") } == [true])
    }

    @Test func symbolsInGNUDebugDataAreUsed() throws {
        let (path, start) = try library()
        let mini = fixture.directory + "/mini"
        try run("objcopy", "--only-keep-debug", path, mini)
        try run("xz", mini)
        try run("objcopy", "--strip-all", "--add-section", ".gnu_debugdata=\(mini).xz", path)
        let without = try names(path, start, nil)
        #expect(["exported", "also"].contains(without[0]) && without[1] == nil)
        #expect(try names(path, start, DebugFileSearch(directories: [])) == [without[0], "hidden"])
    }

    /// People know `mmap`, not `mmap64`, whatever is installed.
    @Test func exportedFunctionsHaveTheSameNamesWithAndWithoutTheDebugFile() throws {
        let found = try run("gcc", "-print-file-name=libc.so.6")
        let path = try #require(found.split(separator: "\n").first.map(String.init))
        let image = try ELFImage(path: path)
        let symbols = try run("nm", "-D", "--defined-only", path).split(separator: "\n")
        let addresses = Set(
            symbols.map { $0.split(separator: " ") }.filter { $0.count == 3 && ["T", "W", "i"].contains($0[1]) }
                .compactMap { UInt64($0[0], radix: 16) })
        try #require(addresses.count > 1000)
        let without = ImageNames(image), with = ImageNames(image, debugFiles: DebugFileSearch())
        for address in addresses { #expect(with.lookup(address)?.name == without.lookup(address)?.name) }
    }
}
