import Glibc
import TestFixtures
import Testing
import UnwindTable

private let hasPython = system("command -v python3 >/dev/null 2>&1") == 0

/// A reader that was written only from docs/table-format.md gives the same results.
@Suite(.enabled(if: hasPython, "needs python3")) struct ReaderInAnotherLanguageTests {
    private static let script =
        "\(#filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" })/ReaderInAnotherLanguage/read_table.py"

    @Test func answersAreTheSame() throws {
        for (number, table) in try [Specimen.large(), Specimen.small(), Specimen.aarch64(), compiled()].enumerated() {
            let name = "/tmp/cfic-reader-\(getpid())-\(number)"
            defer { for suffix in ["table", "lookups", "rules", "output"] { unlink("\(name).\(suffix)") } }
            let memory = GuardedBytes(table.bytes)
            let view = try TableVerifier.verify(memory.bytes)
            try write(table.bytes, to: "\(name).table")
            try write(Array(lookups(view).utf8), to: "\(name).lookups")
            try write(Array(rules(view).utf8), to: "\(name).rules")
            let read = "python3 '\(Self.script)' \(name).table"
            #expect(system("\(read) --check \(name).lookups >/dev/null") == 0)
            #expect(system("\(read) --rules >\(name).output && cmp \(name).rules \(name).output") == 0)
            // Without further arguments it counts the rows and compares the count with the header's.
            #expect(system("\(read) >/dev/null") == 0)
        }
    }

    /// Functions with equal prologues, so that the compiler makes templates.
    private func compiled() throws -> CorruptibleTable {
        var writer = CFIWriter()
        for number in 0..<2000 as Range<UInt64> {
            let rows: [CFIWriter.Row] = [
                .init(1, 16), .init(4, 24), .init(5 + number % 7, 48 + 8 * Int32(number % 40)),
            ]
            writer.addFunction(0x1_0000 + 0x60 * number, length: 0x60, rows + [.init(0x50, 8)])
        }
        return CorruptibleTable(try BuiltTable(writer, executable: [0x1_0000..<0x5_0000]).bytes)
    }

    /// Addresses at both ends of every row, and outside, with their rule numbers.
    private func lookups(_ view: TableView) -> String {
        var addresses: [UInt64] = [0, .max]
        view.forEachRow { range, _ in addresses += [range.lowerBound, range.upperBound - 1, range.upperBound] }
        return addresses.map { "\($0) \(view.ruleNumber(at: $0))\n" }.joined()
    }

    /// A line for each rule.
    private func rules(_ view: TableView) -> String {
        view.rules.map { rule in
            let fields = rule.fields
            return "\(fields.kind) \(fields.cfa) \(fields.fp) \(fields.ra) "
                + "\(fields.cfa_offset) \(fields.fp_offset) \(fields.ra_offset)\n"
        }.joined()
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        let file = try #require(fopen(path, "w"))
        defer { fclose(file) }
        #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    }
}
