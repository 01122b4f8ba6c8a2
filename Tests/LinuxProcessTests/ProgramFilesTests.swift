import ELF
import Files
import Foundation
@testable import LinuxProcess
import TestFixtures
import Testing

/// The files of commands that never run: a made-up tree of executables, libraries and scripts.
@Suite struct ProgramFilesTests {
    private let fixture: Fixture
    /// Its real path.
    private let directory: String

    init() throws {
        fixture = try Fixture()
        directory = fixture.directory
    }

    /// Links a library, or with an interpreter a program, that needs others by name, and returns its path.
    @discardableResult
    private func file(
        _ name: String, needs: [String] = [], soname: String? = nil, interpreter: String? = nil, flags: [String] = [],
        _ target: Fixture.Target = .x86_64
    ) throws -> String {
        let own = soname.map { ["-Wl,-soname,\($0)"] } ?? []
        // What is linked against needs only the name.
        let stubs = try needs.map { need in
            let stub = need.contains("/") ? need : "\(directory)/stubs/\(target)/\(need)"
            if access(stub, F_OK) != 0 {
                try FileManager.default.createDirectory(
                    atPath: "\(directory)/stubs/\(target)", withIntermediateDirectories: true)
                try fixture.library("", target, named: "stubs/\(target)/\(need)", flags: ["-Wl,-soname,\(need)"])
            }
            return stub
        }
        // Linkers have an interpreter only for programs, unless there is one already.
        let start = interpreter.map { ".section .interp, \"a\"\n.asciz \"\($0)\"\n.text\n" } ?? ""
        try FileManager.default.createDirectory(
            atPath: ("\(directory)/\(name)" as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        return try fixture.library(
            start + ".globl f\nf: ret", target, named: name,
            flags: own + ["-Wl,--no-as-needed,--allow-shlib-undefined"] + stubs + flags)
    }

    private func rpath(_ path: String) -> [String] { ["-Wl,--disable-new-dtags,-rpath,\(path)"] }
    private func runpath(_ path: String) -> [String] { ["-Wl,--enable-new-dtags,-rpath,\(path)"] }

    @discardableResult
    private func script(_ text: String, _ name: String, mode: mode_t = 0o755) throws -> String {
        let path = try fixture.write(Array(text.utf8), to: name)
        chmod(path, mode)
        return path
    }

    private func environment(_ libraryPath: String? = nil, preload: String? = nil) -> ProgramFiles.Environment {
        var environment = ProgramFiles.Environment(
            path: "\(directory)/bin", libraryPath: libraryPath, preload: preload)
        environment.cachePath = "\(directory)/no cache"
        return environment
    }

    /// The files' paths below the directory.
    private func files(
        _ words: String..., in environment: ProgramFiles.Environment? = nil, limits: ProgramFiles.Limits = .init(),
        until deadline: ContinuousClock.Instant = .now + .seconds(3600)
    ) -> [String] {
        ProgramFiles(of: words, environment ?? self.environment(), until: deadline, limits: limits)
            .images.map { $0.name.replacingOccurrences(of: directory + "/", with: "") }
    }

    // MARK: Libraries

    @Test func librariesOfLibrariesAreFoundInOrder() throws {
        try file("ld.so")
        try file("lib/c.so")
        try file("lib/b.so", needs: ["c.so"])
        try file("lib/a.so", needs: ["c.so", "b.so"])
        let program = try file(
            "bin/program", needs: ["a.so", "b.so"], interpreter: "\(directory)/ld.so", flags: rpath("$ORIGIN/../lib"))
        #expect(files(program) == ["bin/program", "ld.so", "lib/a.so", "lib/b.so", "lib/c.so"])
        #expect(files("program", "argument") == files(program))
    }

    @Test func librariesThatNeedEachOtherAreFoundOnce() throws {
        try file("lib/b.so", needs: ["a.so", "b.so"])
        try file("lib/a.so", needs: ["b.so"])
        let program = try file("program", needs: ["a.so"], interpreter: "/no", flags: rpath("${ORIGIN}/lib"))
        #expect(files(program) == ["program", "lib/a.so", "lib/b.so"])
    }

    @Test func fileWithSeveralNamesIsFoundOnce() throws {
        try file("lib/a.so")
        symlink("a.so", "\(directory)/lib/b.so")
        let program = try file(
            "program", needs: ["a.so", "b.so"], interpreter: "\(directory)/lib/b.so", flags: rpath("$ORIGIN/lib"))
        #expect(files(program) == ["program", "lib/a.so"])
    }

    @Test func missingLibraryIsLeftOut() throws {
        try file("lib/a.so")
        let program = try file(
            "program", needs: ["missing.so", "a.so"], interpreter: "/missing", flags: rpath("$ORIGIN/lib"))
        #expect(files(program) == ["program", "lib/a.so"])
    }

    /// DT_RUNPATH is for a file's own libraries, DT_RPATH also for those of its libraries.
    @Test func runpathIsNotInherited() throws {
        try file("lib/b.so")
        try file("lib/a.so", needs: ["b.so"])
        try file("other/c.so", needs: ["b.so"], flags: runpath("$ORIGIN/nowhere"))
        let needs = ["a.so", "c.so"]
        let both = "$ORIGIN/lib:$ORIGIN/other"
        let old = try file("old", needs: needs, interpreter: "/no", flags: rpath(both))
        #expect(files(old) == ["old", "lib/a.so", "other/c.so", "lib/b.so"])
        let new = try file("new", needs: needs, interpreter: "/no", flags: runpath(both))
        #expect(files(new) == ["new", "lib/a.so", "other/c.so"])
        // The library's own runpath hides what it would inherit.
        let only = try file("only", needs: ["c.so"], interpreter: "/no", flags: rpath(both))
        #expect(files(only) == ["only", "other/c.so"])
        // musl inherits both.
        let musl = try file("musl", needs: needs, interpreter: "/no/ld-musl-x86_64.so.1", flags: runpath(both))
        #expect(files(musl) == ["musl", "lib/a.so", "other/c.so", "lib/b.so"])
    }

    @Test func librarysOwnDirectoryIsTheOneWhereItWasFound() throws {
        try file("real/a.so", needs: ["b.so"], flags: runpath("$ORIGIN"))
        try file("link/b.so")
        symlink("../real/a.so", "\(directory)/link/a.so")
        let program = try file("real/program", needs: ["a.so"], interpreter: "/no", flags: runpath("$ORIGIN/../link"))
        // Names are real paths, as the kernel says them.
        #expect(files(program) == ["real/program", "real/a.so", "link/b.so"])
        // That of a program is where it really is.
        symlink("real/program", "\(directory)/program")
        #expect(files("\(directory)/program") == files(program))
    }

    @Test func directoriesOfTheEnvironmentComeBeforeRunpathAndAfterRpath() throws {
        for place in ["own", "listed"] { try file("\(place)/a.so") }
        let old = try file("old", needs: ["a.so"], interpreter: "/no", flags: rpath("$ORIGIN/own"))
        let new = try file("new", needs: ["a.so"], interpreter: "/no", flags: runpath("$ORIGIN/own"))
        let listed = environment("\(directory)/empty:\(directory)/listed")
        #expect(files(old, in: listed) == ["old", "own/a.so"] && files(new, in: listed) == ["new", "listed/a.so"])
        #expect(files(new, in: environment("")) == ["new", "own/a.so"])
        let musl = try file("musl", needs: ["a.so"], interpreter: "/ld-musl-x86_64.so.1", flags: rpath("$ORIGIN/own"))
        #expect(files(musl, in: listed) == ["musl", "listed/a.so"])
    }

    @Test func preloadedLibrariesComeFirst() throws {
        for name in ["a", "b", "c"] { try file("lib/\(name).so") }
        let program = try file("program", needs: ["a.so"], interpreter: "/no", flags: rpath("$ORIGIN/lib"))
        let environment = environment(preload: "\(directory)/lib/b.so:c.so \(directory)/missing.so")
        #expect(files(program, in: environment) == ["program", "lib/b.so", "lib/c.so", "lib/a.so"])
    }

    @Test func librariesOfOtherMachinesAndOtherFilesArePassedOver() throws {
        try file("first/a.so", .aarch64)
        try fixture.write(Array("INPUT(a.so)".utf8), to: "second/a.so")
        mkdir("\(directory)/third", 0o755)
        mkfifo("\(directory)/third/a.so", 0o600)
        try file("fourth/a.so")
        let program = try file(
            "program", needs: ["a.so"], interpreter: "/no",
            flags: rpath("$ORIGIN/first:$ORIGIN/second:$ORIGIN/third:$ORIGIN/fourth"))
        #expect(files(program) == ["program", "fourth/a.so"])
    }

    @Test func libraryCanBeNeededByItsPath() throws {
        let library = try file("lib/a.so")
        let program = try file("program", needs: [library], interpreter: "/no")
        #expect(files(program) == ["program", "lib/a.so"])
    }

    @Test func staticProgramNeedsNothing() throws {
        try file("lib/a.so")
        let program = try file("program", needs: ["a.so"], flags: rpath("$ORIGIN/lib"))
        #expect(files(program) == ["program"])
    }

    /// What this machine's own interpreter says.
    @Test func librariesOfAnInstalledProgramAreThoseThatItMaps() throws {
        let program = try RunningProgram(["/bin/cat"])
        var mapped: Set<String> = []
        for _ in 0..<10_000 where !mapped.contains(where: { $0.contains("/libc.so") }) {
            usleep(1000)
            mapped = Set(try MemoryMap(of: program.id).mappings.map(\.path).filter { $0.hasPrefix("/") })
        }
        let found = ProgramFiles(of: ["/bin/cat"], until: .now + .seconds(3600)).images.map(\.name)
        #expect(Set(found) == mapped && found.count == mapped.count)
    }

    // MARK: Scripts and other files

    @Test func scriptsFilesAreThoseOfItsInterpreter() throws {
        let program = try file("bin/program", interpreter: "/no")
        #expect(files(try script("#!\(program)\n", "plain")) == ["bin/program"])
        #expect(files(try script("#! \t\(program) -x \nmore", "argument")) == ["bin/program"])
        #expect(files(try script("#!\(directory)/plain\n", "nested")) == ["bin/program"])
    }

    @Test func programThatEnvRunsIsFound() throws {
        let env = try file("env", interpreter: "/no")
        try file("bin/program", interpreter: "/no")
        #expect(files(try script("#!\(env) program\n", "script")) == ["env", "bin/program"])
        for line in ["#!\(env) -S program", "#!\(env) a=program", "#!\(env)", "#!\(env) missing"] {
            #expect(files(try script(line, "script")) == ["env"])
        }
    }

    @Test func scriptThatInterpretsItselfEnds() throws {
        #expect(files(try script("#!\(directory)/script\n", "script")) == [])
        let env = try script("#!\(directory)/env env\n", "env")
        #expect(files(env) == [])
    }

    @Test func fiveScriptsCanInterpretEachOther() throws {
        var path = try file("bin/program", interpreter: "/no")
        for number in 1...6 {
            path = try script("#!\(path)\n", "script\(number)")
            #expect(files(path) == (number <= 5 ? ["bin/program"] : []))
        }
    }

    @Test(arguments: [
        ("#!/a\n/b", ["/a"]), ("#!/a", ["/a"]), ("#! /a  b c \n", ["/a", "b c"]), ("#!\t/a\tb\0c", ["/a", "b"]),
        ("#!/a \n", ["/a"]),
    ])
    func interpreterOfAScript(text: String, words: [String]) {
        #expect(ProgramFiles.interpreter(in: Array(text.utf8)) == words)
    }

    @Test(arguments: ["", "#", "#!", "#!\n/a", "#! \t\n", "text", " #!/a"]) func otherTextHasNoInterpreter(text: String)
    {
        #expect(ProgramFiles.interpreter(in: Array(text.utf8)) == nil)
    }

    /// execvp(3) has the shell run it.
    @Test func textWithoutInterpreterIsTheShells() throws {
        let shell = ProgramFiles(of: ["/bin/sh"], environment(), until: .now + .seconds(3600)).images.map(\.name)
        let text = try script("echo\n", "text")
        #expect(!shell.isEmpty && files(text) == shell)
    }

    @Test func whatCannotBeExecutedHasNoFiles() throws {
        let program = try file("bin/program", interpreter: "/no")
        try script("#!\(program)\n", "bin/plain", mode: 0o644)
        mkfifo("\(directory)/bin/fifo", 0o777)
        for name in [
            "", "missing", "plain", "fifo", "\(directory)/bin", "\(directory)/missing", "\(directory)/bin/plain",
        ] {
            #expect(files(name) == [], "\(name)")
        }
        #expect(ProgramFiles(of: [], until: .now + .seconds(3600)).images.isEmpty)
        #expect(files(try script("\u{7f}ELF and more", "broken")) == [])
    }

    @Test func programIsTheFirstOfThePathThatCanBeExecuted() throws {
        for place in ["first", "second", "third"] { try file("\(place)/program", interpreter: "/no") }
        chmod("\(directory)/first/program", 0o644)
        var environment = environment()
        environment.path = ["missing", "first", "second", "third"].map { "\(directory)/\($0)" }.joined(separator: ":")
        #expect(files("program", in: environment) == ["second/program"])
        environment.path = nil
        #expect(!files("sh", in: environment).isEmpty)
    }

    // MARK: Limits

    @Test func endlessChainEnds() throws {
        try file("lib/9.so")
        for number in (0..<9).reversed() { try file("lib/\(number).so", needs: ["\(number + 1).so"]) }
        let program = try file("program", needs: ["0.so"], interpreter: "/no", flags: rpath("$ORIGIN/lib"))
        var limits = ProgramFiles.Limits()
        #expect(files(program, limits: limits).count == 11)
        limits.files = 5
        #expect(files(program, limits: limits) == ["program", "lib/0.so", "lib/1.so", "lib/2.so", "lib/3.so"])
    }

    @Test func numberOfPathsThatAreLookedAtIsLimited() throws {
        try file("lib/a.so")
        let many = (0..<100).map { "$ORIGIN/\($0)" }.joined(separator: ":")
        let program = try file("program", needs: ["a.so"], interpreter: "/no", flags: rpath("\(many):$ORIGIN/lib"))
        var limits = ProgramFiles.Limits()
        // The program, its interpreter, 100 directories and the last one.
        limits.paths = 103
        #expect(files(program, limits: limits) == ["program", "lib/a.so"])
        limits.paths = 102
        #expect(files(program, limits: limits) == ["program"])
    }

    @Test func nothingIsLookedForWhenTheTimeIsUp() throws {
        let program = try file("program", interpreter: "/no")
        #expect(files(program, until: .now) == [])
    }
}
