import CallFrameInfo
import ELF
import Foundation
import LinearEvaluation
import TableBuilder
import TableCompiler
import TestFixtures
import Testing
import UnwindTable

/// The sources of an image's call frame information, and images that get no table.
@Suite struct ImageTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    /// f has .eh_frame; .debug_frame describes f and g together, with the CFA at rsp+64.
    private static let mixed = """
        .text
        .p2align 4
        f:
        .cfi_startproc
        .fill 16, 1, 0x90
        .cfi_endproc
        g:
        .fill 16, 1, 0x90
        end:
        .section .debug_frame, "", @progbits
        0: .long 2f - 1f
        1: .long 0xffffffff
        .byte 4
        .asciz ""
        .byte 8, 0
        .uleb128 1
        .sleb128 -8
        .uleb128 16
        .byte 0x0c, 7, 64, 0x90, 1          # CFA = rsp+64, ra = *(CFA-8)
        .balign 8
        2: .long 4f - 3f
        3: .long 0
        .quad f, end - f
        .balign 8
        4:
        """
    private static let own = "+0 CFA = rsp+8, rbp = rbp, ra = *(CFA-8)"
    private static let merged = [own, "+10 CFA = rsp+64, rbp = rbp, ra = *(CFA-8)"]

    /// A function with `cfi`, to distinguish images.
    private static func function(_ cfi: String = "") -> String {
        """
        .text
        .p2align 4
        f:
        .cfi_startproc
        \(cfi)
        .fill 16, 1, 0x90
        .cfi_endproc
        """
    }

    // MARK: Sources of call frame information

    @Test func debugFrameAnswersWhereEHFrameDoesNot() throws {
        let image = try CompiledImage(fixture.library(Self.mixed))
        #expect(image.rows == Self.merged)
        #expect(image.result.source.debugSource == .sameFile)
        #expect(image.result.built.counts.overlappingFDEs == 1)
    }

    @Test(arguments: ["zlib", "zlib-gnu"])
    func compressedDebugFrame(kind: String) throws {
        // Large enough that compression makes the section smaller; otherwise objcopy doesn't compress it.
        let path = try fixture.library(Self.mixed + "\n.fill 4096, 1, 0")
        try run("objcopy", "--compress-debug-sections=\(kind)", path)
        let names = try ELFImage(path: path).sections()
        #expect(names.contains { $0.name == ".zdebug_frame" || $0.isCompressed && $0.name == ".debug_frame" })
        #expect(try CompiledImage(path).rows == Self.merged)
    }

    @Test func separateDebugFileByBuildID() throws {
        let path = try fixture.library(Self.mixed, flags: ["-Wl,--build-id=0xabcdef0123"])
        let debug = fixture.directory + "/debug/.build-id/ab/cdef0123.debug"
        try FileManager.default.createDirectory(
            atPath: (debug as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try run("objcopy", "--only-keep-debug", path, debug)
        try run("objcopy", "--strip-debug", path)
        #expect(try CompiledImage(path).rows == [Self.own])
        let image = try CompiledImage(path, search: DebugFileSearch(directories: [fixture.directory + "/debug"]))
        #expect(image.rows == Self.merged)
        #expect(image.result.source.key.bytes == [0xab, 0xcd, 0xef, 0x01, 0x23])
        #expect(image.result.source.debugSource == .separateFile)
        #expect(image.view.header.source.debugSource == .separateFile)
        #expect(image.view.header.source.debugSize == UInt64(try contents(debug).count))
    }

    @Test func separateDebugFileByDebugLink() throws {
        let path = try fixture.library(Self.mixed, flags: ["-Wl,--build-id=none"])
        try FileManager.default.createDirectory(
            atPath: fixture.directory + "/.debug", withIntermediateDirectories: true)
        let debug = fixture.directory + "/.debug/lib.debug"
        try run("objcopy", "--only-keep-debug", path, debug)
        try run("objcopy", "--strip-debug", path)
        try run("objcopy", "--add-gnu-debuglink=\(debug)", path)
        let image = try CompiledImage(path, search: DebugFileSearch(directories: []))
        #expect(image.rows == Self.merged)
        #expect(image.result.source.debugSource == .separateFile)
        // Another file with that name is rejected.
        try fixture.write(try contents(debug) + [0], to: ".debug/lib.debug")
        let alone = try CompiledImage(path, search: DebugFileSearch(directories: []))
        #expect(alone.rows == [Self.own])
        #expect(alone.result.notes.count == 1 && alone.result.notes[0].contains("lib.debug"))
    }

    @Test func damagedDebugFileCostsOnlyItself() throws {
        let path = try fixture.library(Self.mixed, flags: ["-Wl,--build-id=0xabcdef0123"])
        try run("objcopy", "--strip-debug", path)
        try fixture.write([0x7f, 0x45, 0x4c, 0x46, 2, 1], to: "debug/.build-id/ab/cdef0123.debug")
        let image = try CompiledImage(path, search: DebugFileSearch(directories: [fixture.directory + "/debug"]))
        #expect(image.rows == [Self.own])
        #expect(image.result.notes.count == 1)
    }

    @Test func miniDebugInfo() throws {
        let path = try fixture.library(Self.mixed)
        let mini = fixture.directory + "/mini"
        try run("objcopy", "--only-keep-debug", path, mini)
        try run("objcopy", "--strip-debug", path)
        try run("xz", mini)
        try run("objcopy", "--add-section", ".gnu_debugdata=\(mini).xz", path)
        let image = try CompiledImage(path, search: DebugFileSearch(directories: []))
        #expect(image.rows == Self.merged)
        #expect(image.result.source.debugSource == .embedded)
    }

    @Test func withoutSectionHeaders() throws {
        let path = try fixture.library(Self.function(), flags: ["-Wl,--eh-frame-hdr"])
        let expected = try CompiledImage(path)
        var bytes = try contents(path)
        bytes.replaceSubrange(0x28..<0x30, with: repeatElement(0, count: 8))  // e_shoff
        bytes.replaceSubrange(0x3c..<0x40, with: repeatElement(0, count: 4))  // e_shnum, e_shstrndx
        let image = try CompiledImage(ELFImage(bytes: bytes, name: "bare"))
        #expect(image.rows == expected.rows)
        #expect(image.rows == [Self.own])
    }

    @Test func addressesOtherThanOffsets() throws {
        let path = try fixture.library(Self.function(), flags: ["-Wl,--image-base=0x3f12340000"])
        let image = try CompiledImage(path)
        #expect(image.rows == [Self.own])
        var addresses: [UInt64] = []
        image.view.forEachRow { range, rule in if rule != 0 { addresses.append(range.lowerBound) } }
        #expect(addresses.allSatisfy { $0 > 0x3f12340000 })
    }

    @Test func segmentsFarApart() throws {
        let far = """
            .section .far, "ax", @progbits
            .p2align 4
            h:
            .cfi_startproc
            .fill 16, 1, 0x90
            .cfi_endproc
            """
        // .eh_frame can address 2 GiB; tests of UnwindTable have larger distances.
        let path = try fixture.library(Self.function() + "\n" + far, flags: ["-Wl,--section-start=.far=0x70000000"])
        let image = try CompiledImage(path)
        #expect(image.view.rule(at: 0x7000_0008) == image.view.rule(at: 0x7000_0000))
        #expect(image.view.rule(at: 0x7000_0000).reason == nil)
        #expect(image.view.rule(at: 0x7000_0010).reason == .noInformation)
        #expect(image.result.built.table.count < 4096)
    }

    @Test func theVDSOFromMemory() throws {
        // Pairs of words; 33 is AT_SYSINFO_EHDR.
        let auxiliary = try contents("/proc/self/auxv").withUnsafeBytes { Array($0.bindMemory(to: UInt.self)) }
        let entry = try #require(stride(from: 0, to: auxiliary.count - 1, by: 2).first { auxiliary[$0] == 33 })
        let start = try #require(UnsafeRawPointer(bitPattern: auxiliary[entry + 1]))
        // The vDSO ends with its section headers of 64 bytes each: e_shoff and e_shnum.
        let size =
            start.loadUnaligned(fromByteOffset: 0x28, as: Int.self)
            + 64 * Int(start.loadUnaligned(fromByteOffset: 0x3c, as: UInt16.self))
        let bytes = [UInt8](UnsafeRawBufferPointer(start: start, count: size))
        let image = try ELFImage(bytes: bytes, name: "[vdso]")
        let table = try CompiledImage(image, search: DebugFileSearch())
        #expect(table.rows.count > 4)
        #expect(table.result.built.counts.badFDEs == 0)
        let linear = try LinearEvaluation(image, machine: image.tableMachine(), search: nil)
        #expect(TableComparison(table.view, linear).differences == [])
    }

    // MARK: One bad FDE

    @Test func oneBadFDECostsOnlyItself() throws {
        let path = try fixture.library(
            """
            .text
            .p2align 4
            .cfi_startproc
            .fill 16, 1, 0x90
            .cfi_endproc
            .cfi_startproc
            .cfi_escape 0x3f
            .fill 16, 1, 0x90
            .cfi_endproc
            .cfi_startproc
            .cfi_def_cfa_offset 24
            .fill 16, 1, 0x90
            .cfi_endproc
            """)
        let image = try CompiledImage(path)
        #expect(
            image.rows == [
                Self.own, "+10 unknown: unknown CFA instruction: the rest of the FDE can't be decoded",
                "+20 CFA = rsp+24, rbp = rbp, ra = *(CFA-8)",
            ])
        let counts = image.result.built.counts
        #expect(counts.badFDEs == 1 && counts.fdes == 3)
        #expect(counts.coveredBytes == 48 && counts.loweredBytes == 32)
        let note = try #require(image.result.notes.first)
        #expect(note.contains(".eh_frame+0x") && note.contains("unknown CFA instruction"))
    }

    @Test func damagedEntryLengthKeepsWhatComesBefore() throws {
        let path = try fixture.library(
            Self.function() + "\n" + Self.function(".cfi_def_cfa_offset 32").replacing("f:", with: "g:"))
        var bytes = try contents(path)
        let section = try #require(try ELFImage(path: path).sections().first { $0.name == ".eh_frame" })
        // The CIE, the FDE of f, the FDE of g.
        var position = Int(section.offset)
        for _ in 0..<2 { position += 4 + Int(bytes[position]) }
        bytes[position + 2] = 0xff
        let image = try CompiledImage(ELFImage(bytes: bytes, name: "damaged"))
        #expect(image.rows == [Self.own])
        #expect(image.result.built.counts.badFDEs == 1)
    }

    /// glibc's `_mcount` has its return address in x15; its rows are otherwise equal to other functions'.
    @Test func returnAddressColumnsOfSeveralCIEs() throws {
        let path = try fixture.library(
            """
            .text
            .p2align 4
            .cfi_startproc
            .fill 4, 4, 0xd503201f
            .cfi_endproc
            .cfi_startproc
            .cfi_return_column x15
            .fill 4, 4, 0xd503201f
            .cfi_endproc
            """, .aarch64)
        #expect(
            try CompiledImage(path).rows == [
                "+0 CFA = sp, x29 = x29, ra = x30 (needs live registers)",
                "+10 CFA = sp, x29 = x29, ra = x15 (needs live registers)",
            ])
    }

    // MARK: Images without a table

    @Test func whatIsNoProgramOrLibraryIsSkippedWithItsReason() throws {
        #expect(try skipReason(fixture.object(Self.function())) == .relocatable)
        let path = try fixture.library(Self.function())
        let good = try contents(path)
        func skipped(_ offset: Int, _ bytes: [UInt8]) throws -> SkipReason? {
            var patched = good
            patched.replaceSubrange(offset..<offset + bytes.count, with: bytes)
            return try skipReason(fixture.write(patched, to: "patched"))
        }
        #expect(try skipped(16, [4, 0]) == .coreDump)
        #expect(try skipped(16, [0, 0]) == .notAnImage)
        guard case .unsupportedMachine(let name)? = try skipped(18, [243, 0]) else {
            Issue.record("RISC-V must be an unsupported machine")
            return
        }
        #expect(name.lowercased().contains("risc"))
        let debug = fixture.directory + "/lib.debug"
        try run("objcopy", "--only-keep-debug", path, debug)
        #expect(try skipReason(debug) == .separateDebugFile)
        #expect(try skipReason(fixture.library(".text\nf: ret", named: "none.so")) == .noCallFrameInformation)
    }

    // MARK: Content key

    @Test func contentKeyIsThatOfTheCallFrameInformation() throws {
        let flags = ["-Wl,--build-id=none"]
        let first = try ELFImage(path: fixture.library(Self.function(), flags: flags)).tableKey()
        guard case .content(let bytes) = first else {
            Issue.record("a file without a build id has a content key")
            return
        }
        #expect(bytes.count == 32)
        let same = try ELFImage(path: fixture.library(Self.function(), named: "same.so", flags: flags)).tableKey()
        #expect(same == first)
        let other = fixture.directory + "/lib.so"
        #expect(try ELFImage(path: other).tableKey() == first)
        // A different CFA offset: only one byte of .eh_frame differs.
        let second = try ELFImage(
            path: fixture.library(Self.function(".cfi_def_cfa_offset 24"), named: "other.so", flags: flags)
        ).tableKey()
        let third = try ELFImage(
            path: fixture.library(Self.function(".cfi_def_cfa_offset 32"), named: "third.so", flags: flags)
        ).tableKey()
        #expect(second != first && third != first && second != third)
        let table = try CompiledImage(other)
        #expect(table.view.key == first)
    }

    @Test func buildIDIsTheKey() throws {
        let path = try fixture.library(Self.function(), flags: ["-Wl,--build-id=0x0102030405"])
        #expect(try ELFImage(path: path).tableKey().bytes == [1, 2, 3, 4, 5])
    }

    @Test func keptGapsAreRowsOfTheirOwn() throws {
        let source = """
            .text
            .p2align 4
            .cfi_startproc
            .fill 12, 1, 0x90
            .cfi_endproc
            .p2align 4
            .cfi_startproc
            .fill 16, 1, 0x90
            .cfi_endproc
            """
        let image = try ELFImage(path: fixture.library(source))
        let absorbed = try CompiledImage(image)
        #expect(absorbed.rows == [Self.own])
        #expect(absorbed.result.built.counts.absorbedBytes == 4)
        let kept = try CompiledImage(image, options: TableOptions(keepsGaps: true))
        #expect(kept.rows == [Self.own, "+10" + Self.own.dropFirst(2)])
        #expect(kept.result.built.counts.absorbedBytes == 0)
    }

    // MARK: Time in proportion

    /// In a relocatable file, a CIE of a million instructions is run once for all 20,000 FDEs that share it.
    @Test func aLongCIEIsRunOnceInARelocatableFileToo() throws {
        let fdes = (0..<20_000).map {
            ".long 16\n.long . - cie\n.long f + \(4 * $0) - .\n.long 4\n.byte 0, 0, 0, 0"
        }
        let source = """
            .text
            .p2align 4
            f: .fill 80000, 1, 0x90
            .section .eh_frame, "a", @progbits
            cie: .long 2f - 1f
            1: .long 0
            .byte 1
            .asciz "zR"
            .uleb128 1
            .sleb128 -8
            .byte 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1
            .fill 1000000, 2, 0x100e
            .balign 8
            2:
            \(fdes.joined(separator: "\n"))
            """
        let image = try ELFImage(path: fixture.object(source))
        let sources = try FrameSources(of: image, search: nil)
        let start = ContinuousClock.now
        let lowered = LoweredFrames(sources.sections, sources: sources.kinds, machine: .x86_64)
        withExtendedLifetime(sources) {}
        #expect(lowered.frames.count == 20_000)
        #expect(lowered.rules.count == 2)
        #expect(ContinuousClock.now - start < .seconds(5))
    }
}
