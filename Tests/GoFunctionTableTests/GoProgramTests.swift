import ELF
import Foundation
import TableCompiler
import TestFixtures
import Testing
import UnwindTable

/// Programs that Go's compiler makes here: what `.gopclntab` of a stripped program says is what `.debug_frame` of the same
/// program says that isn't.
@Suite(.enabled(if: access("/usr/bin/go", X_OK) == 0, "needs Debian's golang-go"))
struct GoProgramTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func build(_ name: String, _ machine: TableMachine, isStripped: Bool) throws -> ELFImage {
        let source = fixture.directory + "/main.go", path = fixture.directory + "/" + name
        try """
        package main

        import (
            "fmt"
            "sort"
        )

        func main() {
            words := []string{"b", "c", "a"}
            sort.Strings(words)
            fmt.Println(words)
        }
        """.write(toFile: source, atomically: true, encoding: .utf8)
        try TestFixtures.run(
            words: ["/usr/bin/go", "build"] + (isStripped ? ["-ldflags=-s -w"] : []) + ["-o", path, source],
            environment: [
                "GOARCH": machine == .aarch64 ? "arm64" : "amd64", "CGO_ENABLED": "0", "GO111MODULE": "off",
                "GOFLAGS": "",
                "GOCACHE": fixture.directory + "/cache", "GOPATH": fixture.directory + "/go", "HOME": fixture.directory,
            ], seconds: 900)
        return try ELFImage(path: path)
    }

    /// A rule's text without the frame pointer, of which `.debug_frame` says nothing.
    private func text(_ view: TableView, _ number: Int) -> String {
        view.describe(number).components(separatedBy: ", ")
            .filter { !$0.hasPrefix("rbp") && !$0.hasPrefix("x29") }.joined(separator: ", ")
    }

    @Test(arguments: [TableMachine.x86_64, .aarch64])
    func strippedProgramHasTheRulesOfTheOtherOne(machine: TableMachine) throws {
        let whole = try build("whole", machine, isStripped: false),
            stripped = try build("stripped", machine, isStripped: true)
        let (first, second) = (ImageCompiler(debugFiles: nil), ImageCompiler(debugFiles: nil))
        let expected = try first.compile(whole), found = try second.compile(stripped)
        #expect(expected.source.debugSource == .sameFile && found.source.debugSource == .goFunctionTable)
        #expect(found.rejected == [] && found.faults.isEmpty)
        let (reference, view) = (try TableVerifier.verify(expected.table), try TableVerifier.verify(found.table))
        var (equal, ends, missing, other) = (0, 0, 0, 0)
        reference.forEachRow { range, number in
            guard number != 0 else { return }
            // Rows of the other table may begin within.
            for address in stride(from: range.lowerBound, to: range.upperBound, by: machine == .aarch64 ? 4 : 1) {
                let rule = view.ruleNumber(at: address)
                if rule == 0 {
                    missing += 1
                } else if view.rule(at: address).isEndOfStack {
                    ends += 1
                } else if text(view, rule) == text(reference, number) {
                    equal += 1
                } else if !reference.rule(at: address).isEndOfStack {
                    other += 1
                }
            }
        }
        #expect(other == 0)
        #expect(equal > 100_000)
        // Functions that switch stacks, and those that begin them.
        #expect(missing < equal / 100 && ends < equal / 200 && ends > 0)
    }

    @Test func functionsHaveNamesUnlessTheseAreOutsideTheTable() throws {
        let path = try build("stripped", .x86_64, isStripped: true).name
        let whole = try ELFImage(path: path)
        let section = try #require(try whole.sections().first { $0.name == ".gopclntab" })
        let text = try #require(try whole.sections().first { $0.name == ".text" }).address
        let known = try whole.functionSymbols()
        let (name, count) = (try #require(known.lookup(text)).name, known.count)
        #expect(name.hasPrefix("internal/"))
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        // The first function's record, by the offset behind its address; its name.
        let functions =
            Int(section.offset)
            + Int(
                bytes[Int(section.offset) + 64..<Int(section.offset) + 72].reversed().reduce(UInt64(0)) {
                    $0 << 8 | UInt64($1)
                })
        let record =
            functions + Int(bytes[functions + 4..<functions + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        bytes.replaceSubrange(record + 4..<record + 8, with: [0xff, 0xff, 0xff, 0xff])
        try bytes.write(to: URL(fileURLWithPath: path))
        let symbols = try ELFImage(path: path).functionSymbols()
        #expect(symbols.lookup(text) == nil)
        // It isn't there at all: what compares names doesn't look where there is nothing.
        #expect(symbols.count == count - 1)
    }

    @Test func defectiveTableIsAnErrorOnlyIfNothingElseIsThere() throws {
        let path = try build("stripped", .x86_64, isStripped: true).name
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        let table = try #require(try ELFImage(path: path).sections().first { $0.name == ".gopclntab" })
        bytes[Int(table.offset) + 8] = 0xff
        bytes[Int(table.offset) + 12] = 0xff
        try bytes.write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: CompileError.self) {
            _ = try ImageCompiler(debugFiles: nil).compile(ELFImage(path: path))
        }
        #expect(error?.description.hasSuffix("there are more functions than the section has room for") == true)
    }
}
