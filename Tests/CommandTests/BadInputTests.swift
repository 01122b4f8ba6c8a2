import Foundation
import Testing

/// Missing and broken files: a clear error and exit code 1, the other files are compiled, and the cache has no partial
/// tables.
@Suite struct BadInputTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    /// Compiles `path` between two good libraries.
    private func expectFailure(
        _ path: String, _ expected: String = ": ", sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try place.library("a.so", buildID: "0xaa01")
        try place.library("z.so", buildID: "0xaa02")
        let outcome = try place.cfic("compile", "a.so", path, "z.so")
        #expect(outcome.code == 1, sourceLocation: sourceLocation)
        #expect(outcome.isOrderly, sourceLocation: sourceLocation)
        #expect(
            outcome.diagnostics.contains("\(path): ") && outcome.diagnostics.contains(expected),
            "\(outcome.diagnostics)",
            sourceLocation: sourceLocation)
        #expect(place.cached() == [".build-id/aa/01.unwind", ".build-id/aa/02.unwind"], sourceLocation: sourceLocation)
    }

    @Test func emptyFile() throws {
        try place.write([], to: "empty")
        try expectFailure("empty", "empty file")
    }

    @Test func notELF() throws {
        try place.write(Array("#!/bin/sh\necho hello\n".utf8), to: "script")
        try expectFailure("script", "not an ELF file")
    }

    @Test func missingFile() throws { try expectFailure("missing", "No such file or directory") }

    @Test func jsonCountsWhatFailedAsTheTextDoes() throws {
        try place.library("a.so", buildID: "0xaa01")
        try place.write(Array("#!/bin/sh\n".utf8), to: "script")
        #expect(try place.cfic("compile", "a.so", "script", "missing").diagnostics.contains("2 failed"))
        let outcome = try place.cfic("compile", "--json", "a.so", "script", "missing")
        let summary = try #require(try outcome.json() as? [String: Any])["summary"] as? [String: Any]
        #expect(outcome.code == 1 && summary?["failed"] as? Int == 2, "\(outcome.output)")
    }

    @Test func device() throws { try expectFailure("/dev/null", "neither a file nor a directory") }

    @Test func fifo() throws {
        try #require(mkfifo(place.directory + "/fifo", 0o600) == 0)
        try expectFailure("fifo", "neither a file nor a directory")
    }

    @Test func unreadableFile() throws {
        // Root can read all files.
        guard geteuid() != 0 else { return }
        try #require(chmod(try place.library("secret.so"), 0) == 0)
        try expectFailure("secret.so", "Permission denied")
    }

    @Test func linkToItself() throws {
        try #require(symlink("self", place.directory + "/self") == 0)
        try expectFailure("self", "symbolic links")
    }

    @Test func directoryLoop() throws {
        let path = place.directory + "/tree/sub"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try #require(symlink("..", path + "/up") == 0)
        try place.library("tree/a.so")
        let outcome = try place.cfic("compile", "tree")
        #expect(outcome.code == 0)
        #expect(place.cached().count == 1)
    }

    @Test(arguments: [4, 16, 63, 64, 100, 500])
    func truncated(size: Int) throws {
        let path = try place.library("whole.so")
        try place.write(Array(try place.bytes(path).prefix(size)), to: "cut.so")
        try expectFailure("cut.so")
    }

    @Test func callFrameSectionNearTheEndOfTheAddressSpace() throws {
        let good = try place.bytes(try place.library("whole.so"))
        let header = try #require(good.ehFrameHeader)
        // sh_offset and sh_size
        for (offset, value) in [(0x18, UInt64.max - 7), (0x20, UInt64.max - 7), (0x20, 1 << 63), (0x18, 1 << 40)] {
            var bytes = good
            bytes.patch(value, at: header + offset)
            try place.write(bytes, to: "far.so")
            try expectFailure("far.so", ".eh_frame")
        }
    }

    @Test func segmentsNearTheEndOfTheAddressSpace() throws {
        let good = try place.bytes(try place.library("whole.so"))
        let count = Int(good[0x38])
        // p_offset, p_vaddr, p_filesz, p_memsz of all segments: any result except a crash
        for field in [0x08, 0x10, 0x20, 0x28] {
            for value in [UInt64.max, UInt64.max - 0xfff, 1 << 63] {
                var bytes = good
                for segment in 0..<count { bytes.patch(value, at: 64 + 56 * segment + field) }
                try place.write(bytes, to: "odd.so")
                for command in [
                    ["compile"], ["sizes"], ["stats"], ["dump", "--stage", "rules"], ["dump", "--stage", "entries"],
                ] {
                    #expect(try place.shell("cfic \(command.joined(separator: " ")) odd.so").isOrderly)
                }
            }
        }
    }

    @Test func countsThatDoNotFit() throws {
        let good = try place.bytes(try place.library("whole.so"))
        // e_phoff, e_shoff near 2^64; e_phnum, e_shnum, e_shstrndx all ones
        let patches: [(Int, UInt64, Int)] = [
            (0x20, .max, 8), (0x28, .max, 8), (0x28, .max - 63, 8), (0x38, .max, 2), (0x3c, .max, 2), (0x3e, .max, 2),
        ]
        for (offset, value, width) in patches {
            var bytes = good
            if width == 8 { bytes.patch(value, at: offset) } else { bytes.patch(UInt16.max, at: offset) }
            try place.write(bytes, to: "odd.so")
            for command in ["compile", "sizes", "stats", "dump", "validate"] {
                #expect(try place.cfic(command, "odd.so").isOrderly)
            }
        }
    }

    @Test(arguments: ["compile", "sizes", "stats", "dump", "dump --stage entries --json"])
    func sideSectionThatCannotBeReadIsANote(_ command: String) throws {
        let section = ".pushsection .zdebug_frame, \"\", @progbits\n.byte 1\n.popsection"
        try place.library("odd.so", cfi: section)
        let outcome = try place.shell("cfic \(command) odd.so")
        #expect(outcome.code == 0)
        #expect(
            (outcome.output + outcome.diagnostics).contains("not used: odd.so: .zdebug_frame+0x0: "),
            "\(outcome.diagnostics)")
    }

    /// A table of 16 GiB that is a hole except for a few bytes must not take more than 96 MiB of memory.
    @Test func sparseTable() throws {
        try place.library()
        let path = place.directory + "/t"
        #expect(try place.cfic("compile", "-o", path, "lib.so").code == 0)
        try #require(truncate(path, 16 << 30) == 0)
        for command in ["verify", "stats", "dump"] {
            let outcome = try place.shell("ulimit -d 98304; cfic \(command) t")
            #expect(
                outcome.code == 1 && outcome.diagnostics.contains("are a hole"), "\(command): \(outcome.diagnostics)")
        }
    }

    /// 2 GiB without blocks on the disk must not take more than 96 MiB of memory.
    @Test(arguments: ["zeros", "library", "section"])
    func sparseFile(kind: String) throws {
        let path = place.directory + "/sparse"
        if kind == "zeros" {
            try place.write([], to: "sparse")
        } else {
            var bytes = try place.bytes(try place.library("whole.so"))
            if kind == "section" {
                // .eh_frame's size is that of the whole file.
                let header = try #require(bytes.ehFrameHeader)
                bytes.patch(UInt64(2 << 30 - bytes.word(header + 0x18)), at: header + 0x20)
            }
            try place.write(bytes, to: "sparse")
        }
        try #require(truncate(path, 2 << 30) == 0)
        let start = ContinuousClock.now
        let outcome = try place.shell("ulimit -d 98304; cfic compile -j 1 sparse")
        #expect(outcome.isOrderly)
        #expect(outcome.code == (kind == "library" ? 0 : 1))
        #expect(place.cached().count == (kind == "library" ? 1 : 0))
        if kind == "section" {
            #expect(outcome.diagnostics.contains(".eh_frame: ") && outcome.diagnostics.contains("not holes"))
        }
        #expect(ContinuousClock.now - start < .seconds(60))
    }
}
