import Foundation
import Testing

/// The user interface of `cfic`: output, diagnostics and exit codes.
@Suite struct CommandTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    // MARK: Help and usage

    @Test(arguments: ["check-bpf", "compile", "dump", "lookup", "sizes", "stats", "validate", "verify"])
    func helpShowsExamples(command: String) throws {
        let help = try place.cfic(command, "--help")
        #expect(help.code == 0)
        #expect(help.output.contains("Examples:") && help.output.contains("  cfic \(command) "))
        #expect(help.diagnostics == "")
    }

    @Test func helpNamesCommandsAndExitCodes() throws {
        let help = try place.cfic("--help")
        #expect(help.code == 0)
        for word in [
            "check-bpf", "compile", "dump", "lookup", "sizes", "stats", "validate", "verify", "Exit codes",
        ] {
            #expect(help.output.contains(word))
        }
        #expect(try place.cfic("--version").output.contains("."))
    }

    @Test(arguments: [
        ["compile"], ["compile", "--nonsense", "x"], ["nonsense"], ["compile", "-j", "0", "x"],
        ["compile", "-j", "many", "x"], ["compile", "-o", "out", "a", "b"],
        ["compile", "-o", "out", "--cache", "c", "a"],
        ["lookup", "x"], ["lookup", "x", "nothex"], ["dump", "--stage", "nonsense", "x"], ["dump"],
        ["stats", "--min-coverage", "101", "x"], ["verify"], ["sizes"], ["sizes", "-j", "0", "x"],
        ["validate"], ["validate", "--states", "0", "x"], ["validate", "--sysroot", "d", "x"],
        ["validate", "--core", "c", "a", "b"], ["validate", "--core", "c", "--exhaustive"],
        ["validate", "-j", "0", "x"], ["validate", "--memory", "64M", "x"],
        ["profile", "--memory", "4095K"], ["profile", "--memory", "5G"], ["profile", "--memory", "9999999999G"],
        ["profile", "--memory", "M"], ["profile", "--memory", "-64M"],
        ["validate", "--no-cache", "--cache", "c", "x"],
    ])
    func wrongUsageIs64(arguments: [String]) throws {
        let outcome = try place.shell("cfic \(arguments.joined(separator: " "))")
        #expect(outcome.code == 64)
        #expect(outcome.output == "" && outcome.diagnostics.contains("Usage:"))
    }

    @Test func helpOfWhatIsNoCommandIs64() throws {
        for arguments in [["help", "nonsense"], ["help", "compile", "nonsense"]] {
            let outcome = try place.shell("cfic \(arguments.joined(separator: " "))")
            #expect(
                outcome.code == 64 && outcome.output == "" && outcome.diagnostics.contains("'nonsense'"),
                "\(outcome.diagnostics)")
        }
        for arguments in ["help", "help compile", "help help", "help --help", "compile --help"] {
            let outcome = try place.shell("cfic \(arguments)")
            #expect(outcome.code == 0 && outcome.output.contains("USAGE:"), "\(arguments): \(outcome.diagnostics)")
        }
    }

    @Test(arguments: ["sizes", "stats", "verify", "validate"]) func nothingToDoIsAFailure(command: String) throws {
        try #require(mkdir(place.directory + "/empty", 0o755) == 0)
        try place.write(Array("text".utf8), to: "empty/text")
        for json in ["", "--json"] {
            let outcome = try place.shell("cfic \(command) empty \(json)")
            #expect(
                outcome.code == 1 && outcome.diagnostics.hasSuffix(" found below empty\n"), "\(outcome.diagnostics)")
            #expect(json.isEmpty ? outcome.output == "" : try outcome.list("files")?.isEmpty == true)
        }
    }

    // MARK: compile

    @Test func compileReportsDataOnOutputAndTalksOnError() throws {
        try place.library()
        try place.write(Array("text".utf8), to: "notes.txt")
        let first = try place.cfic("compile", ".")
        #expect(first.code == 0)
        #expect(
            first.output.contains("abcdef0123456789") && first.output.contains("compiled")
                && first.output.contains("lib.so"))
        #expect(first.output.split(separator: "\n").count == 2)
        #expect(first.diagnostics.contains("1 compiled, 0 current, 1 not ELF, 0 failed"))
        #expect(place.cached() == [".build-id/ab/cdef0123456789.unwind"])
        let second = try place.cfic("compile", ".")
        #expect(second.diagnostics.contains("0 compiled, 1 current"))
        #expect(try place.cfic("compile", "--force", ".").diagnostics.contains("1 compiled, 0 current"))
    }

    @Test func compileAsJSON() throws {
        let path = try place.library()
        let outcome = try place.cfic("compile", "--json", path)
        #expect(outcome.code == 0)
        #expect(outcome.diagnostics == "")
        let report = try #require(try outcome.json() as? [String: Any])
        let file = try #require((report["files"] as? [[String: Any]])?.first)
        #expect(file["path"] as? String == path)
        #expect(file["status"] as? String == "compiled")
        #expect(file["key"] as? String == "abcdef0123456789")
        #expect((report["summary"] as? [String: Any])?["compiled"] as? Int == 1)
    }

    @Test func compileToOneFileLeavesTheCacheAlone() throws {
        let path = try place.library()
        #expect(try place.cfic("compile", path, "-o", "one.unwind").code == 0)
        #expect(place.cached() == [])
        let verdict = try place.cfic("verify", "one.unwind")
        #expect(verdict.code == 0 && verdict.output.hasPrefix("one.unwind: proved: "))
        // A file that can't be compiled makes no output, and doesn't change an existing one.
        try place.write([], to: "empty")
        let before = try place.bytes(place.directory + "/one.unwind")
        #expect(try place.cfic("compile", "empty", "-o", "one.unwind").code == 1)
        #expect(try place.cfic("compile", "empty", "-o", "two.unwind").code == 1)
        #expect(try place.bytes(place.directory + "/one.unwind") == before)
        #expect(access(place.directory + "/two.unwind", F_OK) != 0)
    }

    @Test func cacheOptionComesBeforeTheEnvironment() throws {
        let path = try place.library()
        #expect(try place.cfic("compile", "--cache", "other", path).code == 0)
        #expect(place.cached() == [])
        #expect(try place.cfic("verify", "other").code == 0)
        #expect(
            try place.cfic(
                "compile", path, environment: ["CFIC_CACHE": "", "XDG_CACHE_HOME": place.directory + "/xdg"]
            ).code == 0)
        let names = try FileManager.default.contentsOfDirectory(atPath: place.directory + "/xdg/cfic/.build-id/ab")
        #expect(names.count == 1 && names[0].hasPrefix("cdef0123456789-"))
    }

    @Test func strictIsAFailure() throws {
        let path = try place.library(cfi: ".cfi_escape 0x3f")
        #expect(try place.cfic("compile", path).code == 0)
        let strict = try place.cfic("compile", "--strict", path)
        #expect(strict.code == 1)
        #expect(strict.diagnostics.contains("lib.so") && strict.diagnostics.contains("1 malformed FDE"))
        #expect(try place.cfic("compile", "--strict", path, "-o", "x.unwind").code == 1)
        #expect(access(place.directory + "/x.unwind", F_OK) != 0)
    }

    // MARK: lookup, dump, stats, verify

    /// The address of f in a library of ``Workplace``.
    private func start(_ path: String) throws -> UInt64 {
        let rules = try #require(try place.cfic("dump", "--stage", "rules", "--json", path).list("rows"))
        let start = try #require(rules.first?["start"] as? String)
        return try #require(UInt64(start.dropFirst(2), radix: 16))
    }

    @Test func lookupByFileTableAndBuildID() throws {
        let path = try place.library(cfi: ".cfi_def_cfa_offset 16\n.cfi_offset rbp, -16")
        let pc = String(try start(path), radix: 16)
        let next = String(try start(path) + 1, radix: 16)
        #expect(try place.cfic("compile", path).code == 0)
        let byFile = try place.cfic("lookup", path, pc, "0x" + next)
        #expect(byFile.code == 0)
        #expect(byFile.output.contains("<f+0x0>") && byFile.output.contains("<f+0x1>"))
        #expect(byFile.output.contains("CFA = rsp+8, rbp = rbp, ra = *(CFA-8)"))
        #expect(byFile.output.contains("CFA = rsp+16, rbp = *(CFA-16), ra = *(CFA-8)"))
        for input in ["abcd", "ABCDEF0123456789", try place.table("abcdef0123456789")] {
            let outcome = try place.cfic("lookup", input, next)
            #expect(outcome.code == 0)
            #expect(outcome.output.contains("CFA = rsp+16, rbp = *(CFA-16), ra = *(CFA-8)"))
        }
        let json = try #require(try place.cfic("lookup", "--json", "abcd", pc, "0").list("answers"))
        #expect(json.count == 2 && json[1]["reason"] as? String == "no-information")
    }

    @Test func buildIDsStandForTablesEverywhere() throws {
        let path = try place.library("a.so", buildID: "0xabcd0001")
        #expect(try place.cfic("compile", path, place.library("b.so", buildID: "0xac000002")).code == 0)
        for command in [["stats"], ["verify"], ["dump", "--stage", "rules"], ["dump"], ["dump", "--stage", "pages"]] {
            for buildID in ["ab", "ABCD", "abcd0001"] {
                let outcome = try place.cfic(words: command + [buildID])
                #expect(outcome.code == 0 && !outcome.output.isEmpty, "\(command) \(buildID): \(outcome.diagnostics)")
            }
            #expect(try place.cfic(words: command + ["abce"]).diagnostics.contains("compile its file first"))
        }
        #expect(try place.cfic("verify", "ab", "ac").output.split(separator: "\n").count == 2)
        // A file with that name takes precedence.
        try place.write(Array("text".utf8), to: "abcd")
        #expect(try place.cfic("verify", "abcd").code == 1)
    }

    @Test func filesOfOneBuildIDAreListed() throws {
        let paths = try [16, 24].map { try place.library("l\($0).so", cfi: ".cfi_def_cfa_offset \($0)") }
        #expect(try place.cfic(words: ["compile"] + paths).diagnostics.contains("2 compiled"))
        for command in [["lookup", "abcdef01", "0"], ["stats", "ab"], ["verify", "abcdef0123456789"]] {
            let outcome = try place.cfic(words: command)
            #expect(outcome.code == 1)
            #expect(
                outcome.diagnostics.matches(of: /abcdef0123456789-[0-9a-f]{32}/).count == 2, "\(outcome.diagnostics)")
        }
        let names = try place.cfic("verify", "ab").diagnostics.matches(of: /abcdef0123456789-[0-9a-f]{5}/).map {
            String($0.0)
        }
        for name in names { #expect(try place.cfic("verify", name).code == 0) }
        for path in paths { #expect(try place.cfic("compile", path).diagnostics.contains("1 current")) }
    }

    @Test func outputThatIsTheInputIsRefused() throws {
        let path = try place.library()
        let bytes = try place.bytes(path)
        try #require(symlink("lib.so", place.directory + "/link") == 0)
        try #require(link(path, place.directory + "/hard") == 0)
        for output in ["lib.so", "./lib.so", "link", "hard"] {
            let outcome = try place.cfic("compile", "lib.so", "-o", output)
            #expect(
                outcome.code == 1 && outcome.diagnostics.contains("this is the input file"), "\(outcome.diagnostics)")
        }
        #expect(try place.bytes(path) == bytes)
    }

    @Test func emptyNameIsNoCache() throws {
        let path = try place.library()
        for command in [["compile", path], ["lookup", "abcd", "0"], ["stats", "abcd"], ["verify", "abcd"]] {
            let outcome = try place.cfic(words: command + ["--cache", ""])
            #expect(outcome.code == 64 && outcome.diagnostics.contains("--cache"), "\(outcome.diagnostics)")
        }
    }

    @Test func cacheThatTakesNothingIsSaidOnceWithItsRealPath() throws {
        for number in 0..<3 { try place.library("l\(number).so", buildID: "0xaa0\(number)") }
        try place.write([], to: "file")
        let outcome = try place.cfic("compile", "l0.so", "l1.so", "l2.so", "--cache", "file")
        #expect(outcome.code == 1 && outcome.diagnostics.contains("3 failed"))
        let lines = outcome.diagnostics.split(separator: "\n").filter { $0.contains("file/.build-id") }
        #expect(lines.count == 1 && lines[0].contains(place.directory + "/file/.build-id"), "\(outcome.diagnostics)")
    }

    @Test(.enabled(if: geteuid() == 0, "only root has others to be afraid of"))
    func rootRefusesACacheOfOthersUnlessToldSo() throws {
        let path = try place.library()
        try #require(mkdir(place.directory + "/theirs", 0o777) == 0 && chmod(place.directory + "/theirs", 0o777) == 0)
        let refused = try place.cfic("compile", path, "--cache", "theirs")
        #expect(refused.code == 1 && refused.diagnostics.contains("--shared-cache"), "\(refused.diagnostics)")
        #expect(try place.cfic("compile", path, "--cache", "theirs", "--shared-cache").code == 0)
    }

    @Test func lookupOfAnUnknownOrAmbiguousBuildIDFails() throws {
        #expect(
            try place.cfic(
                "compile", place.library("a.so", buildID: "0xabcd0001"), place.library("b.so", buildID: "0xabcd0002")
            ).code == 0)
        #expect(try place.cfic("lookup", "abcd", "1000").code == 1)
        #expect(try place.cfic("lookup", "abcd0001", "1000").code == 0)
        #expect(try place.cfic("lookup", "abce", "1000").code == 1)
        #expect(try place.cfic("lookup", "missing.so", "1000").diagnostics.contains("missing.so"))
    }

    @Test(arguments: [("entries", "DW_CFA_def_cfa"), ("rows", "LOC"), ("rules", "CFA = rsp+8"), ("pages", "")])
    func dumpShowsEachStage(stage: String, expected: String) throws {
        let path = try place.library()
        let text = try place.cfic("dump", "--stage", stage, path)
        #expect(text.code == 0 && text.diagnostics == "")
        #expect(text.output != "" && (expected == "" || text.output.contains(expected)))
        let json = try place.cfic("dump", "--stage", stage, "--json", path)
        #expect(json.code == 0)
        _ = try json.json()
        let pc = String(try start(path), radix: 16)
        #expect(try place.cfic("dump", "--stage", stage, "--pc", pc, path).output != "")
    }

    @Test(arguments: ["entries", "rows"], ["", "--json"])
    func dumpOfAnAddressWithoutAnFDEFails(stage: String, json: String) throws {
        let outcome = try place.shell("cfic dump --stage \(stage) \(json) --pc ffffffffff \(try place.library())")
        #expect(
            outcome.code == 1 && outcome.diagnostics.contains("no FDE covers 0xffffffffff"), "\(outcome.diagnostics)")
        if !json.isEmpty { #expect(try outcome.list("entries")?.isEmpty == true) }
    }

    @Test func dumpOfATable() throws {
        let path = try place.library()
        #expect(try place.cfic("compile", path, "-o", "t").code == 0)
        #expect(try place.cfic("dump", "t").output.contains("CFA = rsp+8"))
        #expect(try place.cfic("dump", "--stage", "pages", "t").code == 0)
        #expect(try place.cfic("dump", "--stage", "rows", "t").code == 1)
    }

    @Test func statsTellCoverageAndFailBelowTheMinimum() throws {
        let good = try place.library("good.so")
        let bad = try place.library("bad.so", buildID: "0xabcd0002", cfi: ".cfi_escape 0x3f")
        let all = try place.cfic("stats", good, bad, "--min-coverage", "5")
        #expect(all.code == 0)
        #expect(all.output.contains("unsupported: f ") && all.output.contains("unknown CFA instruction"))
        #expect(try place.cfic("stats", good, "--min-coverage", "100").code == 0)
        let below = try place.cfic("stats", good, bad, "--min-coverage", "50")
        #expect(below.code == 1)
        #expect(below.diagnostics.contains("bad.so: coverage") && !below.diagnostics.contains("good.so: coverage"))
        let json = try #require(try place.cfic("stats", "--json", good, bad).json() as? [String: Any])
        let files = try #require(json["files"] as? [[String: Any]])
        #expect(files.map { $0["coverage"] as? Double } == [1, 1.0 / 16])
    }

    @Test func validateTakesTablesFromTheCache() throws {
        let path = try place.library()
        #expect(try !place.cfic("validate", path).output.contains("cached"))
        #expect(try place.cfic("compile", path).code == 0)
        #expect(try place.cfic("validate", path).output.contains("cached"))
        #expect(try !place.cfic("validate", "--no-cache", path).output.contains("cached"))
        #expect(try !place.cfic("validate", "--keep-gaps", path).output.contains("cached"))
        #expect(try place.cfic("validate", "--exhaustive", "-j", "1", path).code == 0)
    }

    @Test func validateOfACoreThatIsNone() throws {
        let outcome = try place.cfic("validate", "--core", try place.library())
        #expect(outcome.code == 1)
        #expect(outcome.output == "" && outcome.diagnostics.contains("not a core dump"))
    }

    @Test func lookupExplains() throws {
        let path = try place.library(cfi: ".cfi_def_cfa_offset 16\n.cfi_offset rbp, -16")
        let pc = try start(path) + 1
        let outcome = try place.cfic("lookup", "--explain", path, String(pc, radix: 16))
        #expect(outcome.code == 0)
        for line in [
            "<f+0x1>", ".eh_frame+0x18: FDE", "CIE +0x0", "DW_CFA_def_cfa r7 (rsp) ofs 8", "DW_CFA_def_cfa_offset 16",
            "table  CFA = rsp+16, rbp = *(CFA-16), ra = *(CFA-8)",
            "libdw  CFA = rsp+16, rbp = *(CFA-16), ra = *(CFA-8)",
            "CFA = rsp+16, rbp = *(CFA-16), rip = *(CFA-8)", "they mean the same",
        ] { #expect(outcome.output.contains(line), "\(line)") }
        // Instructions after the address are not listed.
        let before = try place.cfic("lookup", "--explain", path, String(pc - 1, radix: 16))
        #expect(before.code == 0 && !before.output.contains("DW_CFA_def_cfa_offset"))
        let reports = try #require(
            try place.cfic("lookup", "--explain", "--json", path, String(pc, radix: 16), "0").list("answers"))
        #expect(reports.map { $0["verdict"] as? String } == ["agrees", "agrees"])
        #expect((reports[0]["frames"] as? [Any])?.count == 1 && (reports[1]["frames"] as? [Any])?.count == 0)
        #expect(try place.cfic("compile", path, "-o", "table.unwind").code == 0)
        let table = try place.cfic("lookup", "--explain", "table.unwind", "0")
        #expect(table.code == 1 && table.diagnostics.contains("needs the ELF file"))
    }

    @Test func validateComparesWithTheReference() throws {
        let path = try place.library()
        let outcome = try place.cfic("validate", path)
        #expect(outcome.code == 0)
        #expect(outcome.output.contains("lib.so: agrees, ") && outcome.output.contains(" agree, 0 disagree"))
        #expect(outcome.diagnostics == "")
        let report = try #require(try place.cfic("validate", "--json", "--seed", "7", ".").json() as? [String: Any])
        let files = try #require(report["files"] as? [[String: Any]])
        #expect(files.count == 1 && files[0]["disagreements"] as? Int == 0)
        #expect(try #require(files[0]["probes"] as? Int) > 4)
        let failed = try place.cfic("validate", path, "missing")
        #expect(failed.code == 1)
        #expect(
            failed.output.contains("lib.so: agrees")
                && failed.diagnostics.contains("missing: No such file or directory"))
    }

    @Test func verifyRefusesAChangedByteAnywhere() throws {
        let path = try place.library()
        #expect(try place.cfic("compile", path, "-o", "good").code == 0)
        let good = try place.bytes(place.directory + "/good")
        for offset in Swift.stride(from: 0, to: good.count, by: 61) {
            var bytes = good
            bytes[offset] ^= 0x10
            try place.write(bytes, to: "bad")
            let outcome = try place.cfic("verify", "bad", "good")
            #expect(outcome.code == 1, "offset \(offset)")
            #expect(outcome.output.hasPrefix("good: proved") && outcome.diagnostics.contains("bad: "))
        }
        let json = try #require(try place.cfic("verify", "--json", "good").list("files"))
        #expect(json.first?["isProved"] as? Bool == true)
        #expect(try place.cfic("verify", path).code == 1)
        #expect(try place.cfic("verify", "missing").code == 1)
    }

    // MARK: Terminals and pipes

    @Test(arguments: ["dump --stage entries", "dump --stage rows", "dump --stage rules", "dump --json --stage rows"])
    func aReaderThatGoesAwayIsNoCrash(command: String) throws {
        let outcome = try place.shell("cfic \(command) /usr/bin/bash | head -1; exit ${PIPESTATUS[0]}")
        // Killed by SIGPIPE like other commands, or exit code 1.
        #expect(outcome.code == 128 + SIGPIPE || outcome.code == 1)
        #expect(outcome.diagnostics == "")
        #expect(outcome.output.split(separator: "\n").count <= 1)
    }

    @Test func aFullDeviceIsAFailure() throws {
        let outcome = try place.shell("cfic dump --stage rows /usr/bin/bash > /dev/full")
        #expect(outcome.code == 1)
        #expect(outcome.diagnostics.contains("No space left on device"))
    }

    @Test func colourOnlyOnATerminalAndNotUnderNoColor() throws {
        guard access("/usr/bin/script", X_OK) == 0 else { return }
        let program = try Workplace.program()
        let command = "script -qec '\(program) compile missing' /dev/null"
        let terminal = ["TERM": "xterm", "LC_ALL": "C.UTF-8"]
        // An empty variable counts as unset.
        #expect(
            try place.shell(command, environment: terminal.merging(["NO_COLOR": ""]) { $1 }).output.contains("\u{1b}["))
        #expect(
            try !place.shell(command, environment: terminal.merging(["NO_COLOR": "1"]) { $1 }).output.contains(
                "\u{1b}["))
        #expect(try !place.cfic("compile", "missing").diagnostics.contains("\u{1b}["))
    }

    /// With more than twenty files, there is a progress bar.
    @Test(.enabled(if: access("/usr/bin/script", X_OK) == 0, "script is not installed"))
    func plainTerminalsGetPlainText() throws {
        let path = try place.library()
        for number in 0..<25 { try place.write(place.bytes(path), to: "copy\(number).so") }
        let command = "script -qec '\(try Workplace.program()) validate --exhaustive --states 64 . missing' /dev/null"
        func output(_ environment: [String: String]) throws -> String {
            try place.shell(command, environment: environment.merging(["LC_ALL": "", "LC_CTYPE": ""]) { $1 }).output
        }
        let rich = try output(["TERM": "xterm", "LANG": "en_US.utf8", "NO_COLOR": ""])
        #expect(rich.contains("\u{1b}[") && rich.contains("agrees"))
        for plain in [
            ["TERM": "dumb", "LANG": "C.UTF-8"], ["TERM": "xterm", "LANG": "C"], ["TERM": "xterm", "LANG": ""],
        ] {
            let text = try output(plain)
            #expect(text.contains("agrees") && !text.contains("\u{1b}"), "\(plain)")
            #expect(text.utf8.allSatisfy { $0 < 0x80 }, "\(plain)")
        }
    }

    /// Help texts must be readable on any terminal.
    @Test func helpIsASCII() throws {
        for command in [
            "", "check-bpf", "compile", "dump", "kernel", "lookup", "profile", "sizes", "stats", "validate", "verify",
        ] {
            let help = try place.shell("cfic \(command) --help")
            #expect(help.code == 0 && help.output.utf8.allSatisfy { $0 < 0x80 }, "\(command)")
        }
    }
}
