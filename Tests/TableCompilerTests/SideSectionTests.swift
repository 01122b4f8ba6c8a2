import ELF
import TableCompiler
import TableStore
import TestFixtures
import Testing
import UnwindTable

/// A bad section beside a good .eh_frame costs only itself, and is reported in a note.
@Suite struct SideSectionTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private static let good = """
        .text
        .p2align 4
        .cfi_startproc
        .fill 16, 1, 0x90
        .cfi_endproc
        """
    private static let row = "+0 CFA = rsp+8, rbp = rbp, ra = *(CFA-8)"

    private static let zdebug = ".section .zdebug_frame, \"\", @progbits\n"
    /// Sections, and the expected note.
    private static let sections: [(source: String, note: String)] = [
        // Invalid zlib data that claims 16 bytes; a size that is too large; nothing.
        (zdebug + ".ascii \"ZLIB\\0\\0\\0\\0\\0\\0\\0\\x10nonsense\"", ".zdebug_frame+0x0: zlib"),
        (zdebug + ".ascii \"ZLIB\\1\\0\\0\\0\\0\\0\\0\\x10nonsense\"", "claim to unpack to"),
        (zdebug + ".byte 1", ".zdebug_frame+0x0: doesn't start with"),
        (".section .gnu_debuglink, \"\", @progbits\n.ascii \"abc\"", ".gnu_debuglink+0x0: the debug file"),
        (".section .gnu_debugdata, \"\", @progbits\n.ascii \"nonsense\"", ".gnu_debugdata"),
        // The descriptor is longer than the note.
        (".section .note.bad, \"a\", @note\n.balign 4\n.long 4, 255, 3", "a note runs past the end"),
    ]

    @Test(arguments: sections)
    func badSideSectionCostsItself(_ source: String, _ note: String) throws {
        let path = try fixture.library(Self.good + "\n" + source, flags: ["-Wl,--build-id=none"])
        let image = try CompiledImage(path, search: DebugFileSearch(directories: []))
        #expect(image.rows == [Self.row])
        #expect(image.result.notes.count == 1, "\(image.result.notes)")
        #expect(image.result.notes.first?.hasPrefix("not used: \(path): ") == true)
        #expect(image.result.notes.first?.contains(note) == true, "\(image.result.notes)")
    }

    @Test(arguments: sections)
    func itIsNoReasonNotToBeStored(_ source: String, _ note: String) throws {
        let path = try fixture.library(Self.good + "\n" + source, flags: ["-Wl,--build-id=none"])
        var compiler = TreeCompiler(store: try TableStore(directory: fixture.directory + "/cache"))
        compiler.debugFiles = DebugFileSearch(directories: [])
        let report = try #require(compiler.run(FileWalk([path])).reports.first)
        guard case .compiled = report.outcome else { throw TestFailure("\(report.outcome)") }
        #expect(report.notes.count == 1 && report.notes.first?.contains(note) == true)
        let second = try #require(compiler.run(FileWalk([path])).reports.first)
        guard case .current = second.outcome else { throw TestFailure("\(second.outcome)") }
    }

    @Test func badDebugFrameThatIsAllThereIsIsAnError() throws {
        let path = try fixture.library(".text\n.fill 16, 1, 0x90\n" + Self.sections[0].source)
        #expect(throws: CompileError.self) { try CompiledImage(path) }
        do { _ = try CompiledImage(path) } catch {
            guard case CompileError.elf(let error) = error else { throw TestFailure("\(error)") }
            #expect(error.section == ".zdebug_frame")
        }
    }

    @Test func debugFileStandsInForABadDebugFrame() throws {
        // The debug file has a good .debug_frame for code that the image's own .eh_frame doesn't cover.
        let bare = ".text\n.globl f\nf: .fill 16, 1, 0x90\n"
        let frame = """
            .section .debug_frame, "", @progbits
            0: .long 2f - 1f
            1: .long 0xffffffff
            .byte 4
            .asciz ""
            .byte 8, 0
            .uleb128 1
            .sleb128 -8
            .uleb128 16
            .byte 0x0c, 7, 64, 0x90, 1
            .balign 8
            2: .long 4f - 3f
            3: .long 0
            .quad f, 16
            .balign 8
            4:
            """
        let id = "-Wl,--build-id=0xabcdef01"
        let debug = try fixture.library(bare + frame, named: "good.so", flags: [id])
        try fixture.write(try contents(debug), to: "debug/.build-id/ab/cdef01.debug")
        let path = try fixture.library(bare + Self.sections[0].source, named: "bad.so", flags: [id])
        let image = try CompiledImage(path, search: DebugFileSearch(directories: [fixture.directory + "/debug"]))
        #expect(image.rows == ["+0 CFA = rsp+64, rbp = rbp, ra = *(CFA-8)"])
        #expect(image.result.source.debugSource == .separateFile)
    }
}
