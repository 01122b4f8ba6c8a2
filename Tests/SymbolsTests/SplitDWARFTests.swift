import ELF
import Files
import Foundation
@testable import Symbols
import TestFixtures
import Testing

/// Inlined functions of code whose DWARF is in files of its own (DWARF 5, 7.3.2).
@Suite struct SplitDWARFTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func path(_ name: String) -> String { "\(fixture.directory)/\(name)" }

    /// A program, `NAME`, and with split DWARF `NAME.dwo`.
    @discardableResult
    private func build(_ compiler: String, _ flags: [String], named name: String = "a") throws -> String {
        let source = LiveProgram.sources + "/inlined.c"
        try run(words: [compiler, "-O2", "-w", "-c", "-o", "\(name).o"] + flags + [source], in: fixture.directory)
        try run(
            words: [
                compiler, "-nostartfiles", "-Wl,-e,main,--build-id=sha1", "-o", name, "\(name).o",
            ], in: fixture.directory)
        return path(name)
    }

    private func found(_ path: String, search: DebugFileSearch? = nil) throws -> SourceFrames {
        let image = try ELFImage(path: path)
        let code = try image.executableRanges().flatMap { $0 }
        return SourceFrames(of: image, at: Set(code), debugFiles: search)
    }

    private func isInlined(_ found: SourceFrames) -> Bool { found.frames.values.joined().contains(where: \.isInlined) }

    /// Checks that lines are there, and functions are not, for a reason.
    private func expectLinesAlone(
        of path: String, because reason: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let found = try found(path)
        #expect(!isInlined(found) && found.frames.count > 100, sourceLocation: sourceLocation)
        #expect(found.frames.values.joined().count { $0.line != nil } > 100, sourceLocation: sourceLocation)
        let problem = found.problem ?? ""
        #expect(
            problem == "\(path): functions inlined in one compilation unit are missing, because \(reason)",
            sourceLocation: sourceLocation)
    }

    @Test(arguments: [
        ("gcc", "-gdwarf-4"), ("gcc", "-gdwarf-5"), ("clang", "-gdwarf-4"), ("clang", "-gdwarf-5"),
        ("aarch64-linux-gnu-gcc", "-gdwarf-5"),
    ])
    func framesAreThoseOfDWARFInOneFile(compiler: String, version: String) throws {
        guard compiler == "clang" || access("/usr/bin/\(compiler)", X_OK) == 0 else { return }
        let whole = try found(build(compiler, [version], named: "whole"))
        let split = try found(build(compiler, [version, "-gsplit-dwarf"]))
        #expect(access(path("a.dwo"), R_OK) == 0)
        #expect(split.problem == nil && isInlined(split) && split.frames.count > 100)
        #expect(split.frames == whole.frames)
    }

    /// Of a program in several files some of whose DWARF is missing, the rest is read.
    @Test func unitsAreIndependent() throws {
        try "int other(int count) { return count * 3; }\nint third(int count) { return count * 5; }\n".write(
            toFile: path("other.c"), atomically: false, encoding: .utf8)
        try run("gcc", "-O2", "-g", "-gsplit-dwarf", "-c", "-o", "other.o", "other.c", in: fixture.directory)
        try build("gcc", ["-g", "-gsplit-dwarf"])
        try run(
            "gcc", "-nostartfiles", "-Wl,-e,main", "-o", "both", "a.o", "other.o", in: fixture.directory)
        #expect(try found(path("both")).problem == nil)
        unlink(path("other.dwo"))
        let found = try found(path("both"))
        #expect(isInlined(found))
        #expect(
            found.problem == "\(path("both")): functions inlined in one compilation unit are missing, because "
                + "\(path("other.dwo")) can't be read: No such file or directory")
    }

    /// Beside a file that was moved, or where it was compiled.
    @Test func filesAreFoundBesideTheProgramAndWhereItWasCompiled() throws {
        let program = try build("gcc", ["-g", "-gsplit-dwarf"])
        for directory in ["beside", "alone"] {
            try FileManager.default.createDirectory(atPath: path(directory), withIntermediateDirectories: false)
            try FileManager.default.copyItem(atPath: program, toPath: path("\(directory)/a"))
        }
        #expect(isInlined(try found(path("alone/a"))))
        try FileManager.default.moveItem(atPath: path("a.dwo"), toPath: path("beside/a.dwo"))
        #expect(isInlined(try found(path("beside/a"))))
        try expectLinesAlone(
            of: path("alone/a"), because: "\(path("a.dwo")) can't be read: No such file or directory")
    }

    @Test func debugFileNamesThem() throws {
        let program = try build("gcc", ["-g", "-gsplit-dwarf"])
        try run("objcopy", "--only-keep-debug", program, path("a.debug"))
        try run("objcopy", "--strip-all", "--add-gnu-debuglink=\(path("a.debug"))", program)
        let found = try found(program, search: DebugFileSearch(directories: []))
        #expect(isInlined(found) && found.problem == nil)
    }

    // MARK: Files that are not read

    @Test func anotherBuildIsNotRead() throws {
        let program = try build("gcc", ["-g", "-gsplit-dwarf"])
        try build("gcc", ["-g", "-gsplit-dwarf", "-DOTHER", "-Dinnermost=another"], named: "b")
        for bytes in [try contents(path("b.dwo")), Array("no ELF file".utf8), []] {
            try fixture.write(bytes, to: "a.dwo")
            try expectLinesAlone(of: program, because: "\(path("a.dwo")) is broken or of another build")
        }
    }

    /// Its opening would wait for a writer.
    @Test func pipeIsNotOpened() throws {
        let program = try build("gcc", ["-g", "-gsplit-dwarf"])
        unlink(path("a.dwo"))
        try #require(mkfifo(path("a.dwo"), 0o600) == 0)
        try expectLinesAlone(of: program, because: "\(path("a.dwo")) is no regular file")
    }

    @Test func packageIsSaidToBeOne() throws {
        let program = try build("gcc", ["-gdwarf-4", "-gsplit-dwarf"])
        try run(words: ["dwp", "-e", program, "-o", program + ".dwp"], in: fixture.directory, seconds: 60)
        unlink(path("a.dwo"))
        try expectLinesAlone(
            of: program, because: "\(program).dwp is a package, which libdw reads from version 0.191 on")
    }

    /// Whoever can change it would otherwise tell what a program is that they can't change.
    @Test func fileThatOthersCanWriteIsReadOnlyForSuchPrograms() throws {
        let program = try build("gcc", ["-g", "-gsplit-dwarf"])
        guard !(try ELFImage(path: program).othersMayWrite) else { return }
        chmod(path("a.dwo"), 0o666)
        try expectLinesAlone(
            of: program, because: "\(path("a.dwo")) can be changed by users who can't change the file")
        chmod(program, 0o777)
        #expect(isInlined(try found(program)))
    }

    /// Root reads for a file only what its owner could.
    @Test(.enabled(if: geteuid() == 0, "needs root")) func filesAreReadWithTheRightsOfTheOwner() throws {
        let program = try build("gcc", ["-g", "-gsplit-dwarf"])
        chmod(fixture.directory, 0o755)
        try #require(chown(program, 65534, 65534) == 0)
        #expect(isInlined(try found(program)))
        chmod(path("a.dwo"), 0o600)
        try expectLinesAlone(of: program, because: "\(path("a.dwo")) can't be read: Permission denied")
        try #require(chown(path("a.dwo"), 65534, 65534) == 0)
        #expect(isInlined(try found(program)))
    }

    // MARK: Broken files

    /// Whatever the bytes are, what is found has the form that it should have, and nothing else happens.
    @Test func brokenFilesDoNoHarm() throws {
        let program = try build("gcc", ["-g", "-gsplit-dwarf"])
        let bytes = try contents(path("a.dwo"))
        var random = SeededGenerator(seed: 15)
        for _ in 0..<50 {
            var broken = bytes
            for _ in 0..<Int.random(in: 1...20, using: &random) {
                broken[Int.random(in: 64..<broken.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            try fixture.write(broken, to: "a.dwo")
            for frames in try found(program).frames.values {
                #expect(frames.last?.isInlined == false && frames.dropLast().allSatisfy(\.isInlined))
            }
        }
    }
}
