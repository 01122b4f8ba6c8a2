import TestFixtures
import Testing
@testable import TableBuilder
import UnwindTable

private typealias Row = CFIWriter.Row

/// Tables don't depend on the number of threads, and rules beyond the limit become a reason.
@Suite struct NumberingTests {
    /// 20,000 functions, unsorted in file order, some of which fill a page of quarters.
    private func manyFunctions() -> CFIWriter {
        var writer = CFIWriter()
        var random = SeededGenerator(seed: 7)
        for number in 0..<UInt64(20_000) {
            let start = 0x1_0000 + (number ^ 0x155) * 0x40
            let rows = (0..<4).map { Row($0 * 11 + number % 5, Int32.random(in: 2...60, using: &random) * 8) }
            writer.addFunction(start, length: number % 3 == 0 ? 0x40 : 0x37, rows)
        }
        for page in [30, 31] as [UInt64] {
            let rows = (0..<400).map { Row($0 * 150, Int32($0 + 100) * 8) }
            writer.addFunction(page * 0x1_0000, length: 0x1_0000, rows)
        }
        writer.addFunction(28 * 0x1_0000 - 0x100, length: 0x1_0000 + 0x200, [Row(0x90, 4000), Row(0x100, 4008)])
        return writer
    }

    @Test(arguments: [2, 3, 4])
    func threadsDoNotChangeABit(_ threads: Int) throws {
        let writer = manyFunctions()
        let executable: [Range<UInt64>] = [0x1_0000..<0x40_0000]
        let one = try BuiltTable(writer, executable: executable)
        let several = try BuiltTable(writer, executable: executable, threads: threads)
        #expect(one.kinds.filter { $0 == .quarters }.count == 2)
        #expect(one.bytes == several.bytes)
        requireSameRows(several)
    }

    @Test func quartersInALaterChunkAreFound() throws {
        let table = try BuiltTable(manyFunctions(), executable: [0x1_0000..<0x40_0000], threads: 2)
        for row in 0..<UInt64(400) {
            #expect(table.cfaOffset(at: 30 * 0x1_0000 + row * 150 + 149) == Int32(row + 100) * 8)
        }
    }

    @Test func rulesBeyondTheLimitHaveAReason() throws {
        var writer = CFIWriter()
        let count: UInt64 = 70_000
        for function in 0..<UInt64(10_000) {
            writer.addFunction(
                0x1_0000 + function * 0x40, length: 0x40,
                (0..<7).map { Row($0 * 9, Int32(function * 7 + $0 + 100) * 8) })
        }
        let executable: [Range<UInt64>] = [0x1_0000..<0x1_0000 + count / 7 * 0x40]
        let one = try BuiltTable(writer, executable: executable)
        let two = try BuiltTable(writer, executable: executable, threads: 2)
        #expect(one.bytes == two.bytes)
        #expect(one.view.rules.count == 65_536)
        #expect(one.cfaOffset(at: 0x1_0000) == 800)
        #expect(one.reason(at: executable[0].upperBound - 1) == "too-many-rules")
        requireSameRows(one)
        // All rules that were kept are right.
        var wrong = 0
        var known = 0
        for number in 0..<count {
            let address = 0x1_0000 + number / 7 * 0x40 + number % 7 * 9
            if one.reason(at: address) != nil { continue }
            known += 1
            if one.cfaOffset(at: address) != Int32(number + 100) * 8 { wrong += 1 }
        }
        #expect(wrong == 0)
        #expect(known == 65_536 - 2)
    }

    @Test func frequentRulesHaveLowNumbers() throws {
        var writer = CFIWriter()
        writer.addFunction(0x2000, length: 0x100, (0..<10).map { Row($0 * 8, $0 % 3 == 0 ? 80 : Int32($0) * 8 + 96) })
        let table = try BuiltTable(writer, executable: [0x1000..<0x3000])
        #expect(table.view.rules[1].cfaOffset == 80)
    }
}
