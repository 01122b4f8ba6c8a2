import Foundation
import Testing
import enum TestFixtures.HostKernel

/// The output of `--json` agrees with docs/json.md, field by field.
@Suite(.timeLimit(.minutes(30))) struct JSONTests {
    private let place: Workplace
    private let documented: DocumentedJSON

    init() throws {
        place = try Workplace()
        documented = try DocumentedJSON()
    }

    private func expectDocumented(
        _ schema: String, _ outcome: Outcome, code: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        #expect(outcome.code == code, "\(outcome.diagnostics)", sourceLocation: sourceLocation)
        let document = try JSONDecoder().decode(JSONValue.self, from: Data(outcome.output.utf8))
        #expect(documented.problems(of: document, schema: schema) == [], sourceLocation: sourceLocation)
    }

    /// Makes good.so, bad.so with a malformed FDE for f, a file that isn't ELF, a table and a relocatable file.
    private func makeInputs() throws {
        try place.library("good.so", cfi: ".cfi_def_cfa_offset 16\n.cfi_offset rbp, -16\n.cfi_val_offset r12, 8")
        try place.library("bad.so", buildID: "0xabcd0002", cfi: ".cfi_escape 0x3f")
        try place.library("same.so", cfi: ".cfi_def_cfa_offset 16\n.cfi_offset rbp, -16\n.cfi_val_offset r12, 8")
        try place.write(Array("#!/bin/sh\n".utf8), to: "script")
        try place.write(Array("thread;main;f_[k] 3\n".utf8), to: "folded")
        try #require(try place.cfic("compile", "good.so", "-o", "table").code == 0)
    }

    @Test func tablesAreConsistent() {
        #expect(documented.problems == [])
        #expect(
            documented.schemas == [
                "compile", "check-bpf", "counters", "dump --stage entries, rows", "dump --stage rules",
                "dump --stage pages",
                "kernel",
                "lookup", "lookup --explain", "profile", "profile --list-events", "report", "sizes", "stats",
                "validate", "validate --inference", "validate --core", "validate --live",
                "verify",
            ])
    }

    @Test(
        arguments: [
            ("compile", "compile good.so same.so bad.so script missing", 1),
            ("compile", "compile --strict bad.so", 1),
            ("compile", "compile bad.so -o out", 0),
            ("dump --stage entries, rows", "dump --stage entries bad.so", 0),
            ("dump --stage entries, rows", "dump --stage rows good.so", 0),
            ("dump --stage entries, rows", "dump --stage rows --pc fffffffffff good.so", 1),
            ("dump --stage rules", "dump --stage rules good.so", 0),
            ("dump --stage pages", "dump --stage pages table", 0),
            ("lookup", "lookup good.so $START 0", 0),
            ("lookup", "lookup table $START ffffffffffffffff", 0),
            ("lookup --explain", "lookup --explain good.so $START 0", 0),
            ("report", "report folded", 0), ("report", "report folded --diff folded --by module", 0),
            ("report", "report folded --tree", 0),
            ("sizes", "sizes good.so bad.so script missing", 1),
            ("stats", "stats good.so bad.so table script missing", 1),
            ("validate", "validate good.so bad.so missing", 1),
            ("validate --inference", "validate --inference --show 9 good.so bad.so missing", 1),
            ("verify", "verify table good.so missing", 1),
        ] as [(String, String, Int32)])
    func documentIsAsDocumented(schema: String, arguments: String, code: Int32) throws {
        try makeInputs()
        let start = "START=$(cfic dump --stage rules good.so | head -1 | cut -d. -f1)"
        let outcome = try place.shell("\(start); cfic \(arguments) --json")
        try expectDocumented(schema, outcome, code: code)
    }

    /// Tables with the same build id are distinguished as in the cache and in other commands.
    @Test func digestTellsTablesOfABuildIDApart() throws {
        struct Report: Decodable {
            struct File: Decodable { var key: String, digest: String? }
            var files: [File]
        }
        struct Pages: Decodable { var key: String, digest: String? }
        try place.library("one.so", cfi: ".cfi_def_cfa_offset 16")
        try place.library("two.so", cfi: ".cfi_def_cfa_offset 24")
        let compiled = try place.cfic("compile", "--json", "one.so", "two.so")
        let files = try JSONDecoder().decode(Report.self, from: Data(compiled.output.utf8)).files
        let digests = Set(files.compactMap(\.digest))
        #expect(Set(files.map(\.key)).count == 1 && digests.count == 2)
        for file in files {
            let name = "\(file.key)-\(try #require(file.digest))"
            let dump = try place.cfic("dump", "--stage", "pages", "--json", name)
            let pages = try JSONDecoder().decode(Pages.self, from: Data(dump.output.utf8))
            #expect(pages.key == file.key && pages.digest == file.digest)
        }
        // A table with a content key has no digest.
        try place.library("none.so", buildID: "none", cfi: ".cfi_def_cfa_offset 16")
        let other = try place.cfic("compile", "--json", "none.so")
        #expect(try JSONDecoder().decode(Report.self, from: Data(other.output.utf8)).files.map(\.digest) == [nil])
    }

    @Test func findingsAreAsDocumented() throws {
        let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
        for name in ["global-pointer", "maps", "unsure"] {
            let made = try place.shell(
                """
                clang -target bpf -mcpu=v3 -O2 -g -I"/usr/include/$(uname -m)-linux-gnu" \\
                    -c '\(root)/testdata/bpf/\(name).bpf.c' -o \(name).o
                """)
            try #require(made.code == 0, "\(made.diagnostics)")
        }
        let outcome = try place.shell("cfic check-bpf --json global-pointer.o maps.o unsure.o missing --kernel 5.10")
        try expectDocumented("check-bpf", outcome, code: 1)
    }

    @Test func stacksOfACoreAreAsDocumented() throws {
        let gdb = try place.shell("gdb -nx -batch -ex starti -ex 'generate-core-file core' /bin/true")
        guard access(place.directory + "/core", R_OK) == 0 else { throw TestFailure("no core: \(gdb.diagnostics)") }
        try expectDocumented("validate --core", try place.cfic("validate", "--json", "--core", "core"))
    }

    @Test(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"))
    func profileAndKernelAreAsDocumented() throws {
        let busy = "bash -c 'for ((i = 0; i < 100000; i++)); do :; done; exit 3'"
        let command = "cfic profile --json -F 999 -o profile -- \(busy)"
        let profile = try place.shell("\(command); code=$?; cat profile; exit $code")
        try expectDocumented("profile", profile, code: profile.code)
        try expectDocumented("kernel", try place.cfic("kernel", "--json"))
        try expectDocumented(
            "profile", try place.cfic("profile", "--json", "-e", "page-faults", "-c", "10", "--", "true"))
        let counted = "cfic profile --off-cpu -F 999 --counters counters.json -o profile -- \(busy)"
        try expectDocumented("counters", try place.shell("\(counted); cat counters.json"))
        try expectDocumented("profile --list-events", try place.cfic("profile", "--list-events", "--json"))
    }

    @Test(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"))
    func auditIsAsDocumented() throws {
        // Prints nothing, because the report goes to the same place.
        let busy = "bash -c 'for ((i = 0; i < 300000; i++)); do :; done'"
        let outcome = try place.shell("cfic validate --live --json -F 999 -- \(busy)")
        try expectDocumented("validate --live", outcome)
    }

    /// Readers that store numbers as doubles would round them.
    @Test func addressesOf64BitsAreExact() throws {
        try place.library()
        let outcome = try place.cfic("lookup", "--json", "lib.so", "fffffffffffffffe")
        #expect(outcome.output.contains(#""address" : "0xfffffffffffffffe""#), "\(outcome.output)")
    }
}
