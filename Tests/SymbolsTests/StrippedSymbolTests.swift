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
            .globl exported
            .type exported, @function
            exported:
            .fill 16, 1, 0x90
            .size exported, 16
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
        #expect(try names(path, start, nil) == ["exported", nil])
        #expect(try names(path, start, DebugFileSearch(directories: [])) == ["exported", "hidden"])
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
        #expect(try names(path, start, nil) == ["exported", nil])
        #expect(try names(path, start, DebugFileSearch(directories: [])) == ["exported", "hidden"])
    }
}
