import Glibc
import TestFixtures
import Testing
import UnwindTable

private let hasPython = system("command -v python3 >/dev/null 2>&1") == 0

/// A reader that was written only from docs/table-format.md gives the same results.
@Suite(.enabled(if: hasPython, "needs python3")) struct ReaderInAnotherLanguageTests {
    @Test func answersAreTheSame() throws {
        for (number, table) in [try Specimen.large(), try Specimen.small(), try Specimen.aarch64()].enumerated() {
            let name = "/tmp/cfic-reader-\(getpid())-\(number)"
            defer { for suffix in ["table", "lookups"] { unlink("\(name).\(suffix)") } }
            try write(table.bytes, to: "\(name).table")
            try write(Array(try lookups(table).utf8), to: "\(name).lookups")
            let reader =
                "\(#filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" })"
                + "/ReaderInAnotherLanguage/read_table.py"
            #expect(system("python3 '\(reader)' \(name).table --check \(name).lookups >/dev/null") == 0)
            // Without further arguments it counts the rows and compares the count with the header's.
            #expect(system("python3 '\(reader)' \(name).table >/dev/null") == 0)
        }
    }

    /// Addresses at both ends of every row, and outside, with their rule numbers.
    private func lookups(_ table: CorruptibleTable) throws -> String {
        let memory = GuardedBytes(table.bytes)
        let view = try TableVerifier.verify(memory.bytes)
        var addresses: [UInt64] = [0, .max]
        view.forEachRow { range, _ in addresses += [range.lowerBound, range.upperBound - 1, range.upperBound] }
        return addresses.map { "\($0) \(view.ruleNumber(at: $0))\n" }.joined()
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        let file = try #require(fopen(path, "w"))
        defer { fclose(file) }
        #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    }
}
