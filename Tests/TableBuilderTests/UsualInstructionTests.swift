import CallFrameInfo
import TestFixtures
import Testing
@testable import TableBuilder
import UnwindTable

/// Tables use a separate loop for usual instructions (`takeRun`), which other sinks don't use. For any sequence of
/// instructions, it must give the same rows as executing them one at a time.
@Suite struct UsualInstructionTests {
    struct Kind: CustomTestStringConvertible, Sendable {
        var machine: TableMachine
        var codeAlignment: UInt64
        var dataAlignment: Int64 = -8
        var testDescription: String {
            "\(machine), code alignment \(codeAlignment), data alignment \(dataAlignment)"
        }
    }

    static let kinds = [
        Kind(machine: .x86_64, codeAlignment: 1), Kind(machine: .x86_64, codeAlignment: 300),
        Kind(machine: .x86_64, codeAlignment: 0), Kind(machine: .aarch64, codeAlignment: 0),
        Kind(machine: .aarch64, codeAlignment: 4), Kind(machine: .aarch64, codeAlignment: 1),
        // Times an operand, more than 56 bits, and more than 64.
        Kind(machine: .x86_64, codeAlignment: 1, dataAlignment: 1 << 54),
        Kind(machine: .aarch64, codeAlignment: 4, dataAlignment: -1 << 62),
    ]

    /// Four thousand FDEs side by side, over a dozen pages.
    @Test(arguments: kinds)
    func randomInstructionsSayTheSameOneByOne(_ kind: Kind) throws {
        var random = SeededGenerator(seed: 0x5eed + kind.codeAlignment)
        var writer = CFIWriter(kind.machine, codeAlignment: kind.codeAlignment)
        writer.addCIE(codeAlignment: kind.codeAlignment, dataAlignment: kind.dataAlignment)
        let first: UInt64 = 0x1_0000
        var start = first
        for _ in 0..<4000 {
            let length = UInt64.random(in: 1...60, using: &random) * 4
            var instructions = (0..<Int.random(in: 0...14, using: &random)).flatMap { _ in
                Self.instruction(kind, &random)
            }
            // Sometimes truncated within an operand.
            if Int.random(in: 0..<8, using: &random) == 0 { instructions = instructions.dropLast() }
            writer.addFDE(start, length: length, instructions, isPadded: Bool.random(using: &random))
            start += length + (Bool.random(using: &random) ? 0 : 64)
        }
        let executable = first..<start
        for threads in [1, 2] {
            let table = try BuiltTable(writer, executable: [executable], threads: threads)
            #expect(differences(table, writer, executable) == [])
        }
    }

    @Test func rowsAtEveryUnitOfAPageFitIn() throws {
        var writer = CFIWriter()
        // Advances by 1 with alternating offsets: 65,536 rows, from the page's first unit to its last and beyond.
        let pair: [UInt8] = [0x41, 0x0e, 0x10, 0x41, 0x0e, 0x18]
        writer.addFDE(0x1_0000, length: 0x1_0800, (0..<0x8800).flatMap { _ in pair })
        let table = try BuiltTable(writer, executable: [0x1_0000..<0x3_0000])
        #expect(table.cfaOffset(at: 0x1_0000) == 8)
        for address: UInt64 in 0x1_0001..<0x2_0800 {
            #expect(table.cfaOffset(at: address) == (address % 2 == 1 ? 16 : 24))
        }
        #expect(table.counts.rawRows == 0x1_0800)
    }

    @Test(arguments: [TableMachine.x86_64, .aarch64])
    func advancesByNothingMakeNoRows(_ machine: TableMachine) throws {
        // More rows than a page has units, all at one location: the last wins.
        var writer = CFIWriter(machine, codeAlignment: 0)
        let pair: [UInt8] = [0x41, 0x0e, 0x10, 0x41, 0x0e, 0x18]
        writer.addFDE(0x1_0040, length: 0x100, (0..<100_000).flatMap { _ in pair } + [0x41, 0x0e, 0x20])
        let table = try BuiltTable(writer, executable: [0x1_0000..<0x2_0000])
        #expect(table.cfaOffset(at: 0x1_0040) == 32)
        #expect(table.counts.rawRows == 1)
    }

    @Test func advancesAtTheEndOfTheAddressSpaceDoNotWrapAround() throws {
        var writer = CFIWriter()
        let start = UInt64.max - 0xfff
        writer.addFDE(start, length: 0xff0, [0x41, 0x0e, 0x10, 0x03, 0xff, 0xff, 0x0e, 0x18, 0x03, 0xff, 0xff])
        let table = try BuiltTable(writer, executable: [start..<UInt64.max])
        #expect(table.cfaOffset(at: start) == 8)
        #expect(table.cfaOffset(at: start + 1) == 16)
        #expect(table.cfaOffset(at: start + 0xfef) == 16)
    }

    // MARK: Random instructions

    private static func instruction(_ kind: Kind, _ random: inout SeededGenerator) -> [UInt8] {
        func upTo(_ limit: UInt64) -> UInt64 { UInt64.random(in: 0...limit, using: &random) }
        let fp: UInt64 = kind.machine == .x86_64 ? 6 : 29
        let register = [fp, kind.machine == .x86_64 ? 16 : 30, kind.machine == .x86_64 ? 7 : 31, upTo(31)][Int(upTo(3))]
        switch upTo(39) {
        case 0..<10: return [0x40 | UInt8(upTo(9) == 0 ? 0 : upTo(12))]
        case 10: return [0x02, UInt8(upTo(20))]
        case 11: return [0x03] + little(UInt16(upTo(20)))
        case 12: return [0x04] + little(UInt32(upTo(20)))
        case 13..<20: return [0x0e] + uleb(8 * upTo(15))
        case 20: return [0x0e] + uleb(8 * upTo(600))
        case 21: return [0x0e] + uleb(upTo(5000))
        // A number with more bytes than it needs.
        case 22: return [0x0e, 0x80 | UInt8(8 * upTo(15)), 0x80, 0x00]
        case 23..<28: return [0x80 | UInt8(register)] + uleb(upTo(7) == 0 ? upTo(300) : 1 + upTo(6))
        case 28: return [0x0c] + uleb(upTo(2) == 0 ? upTo(31) : fp) + uleb(8 * upTo(20))
        case 29, 30: return [0x0d] + uleb(upTo(2) == 0 ? upTo(31) : fp)
        case 31: return [0x0a]
        case 32: return upTo(2) == 0 ? [0x0b] : [0x0a, 0x0e, 0x20, 0x41, 0x0b]
        case 33, 34: return [0xc0 | UInt8(register)]
        case 35: return [0x2e] + uleb(8 * upTo(40))
        case 36: return [UInt8](repeating: 0, count: Int(upTo(10)))
        case 37:
            return [[0x07], [0x08], [0x0f, 2, 0x77], [0x16, UInt8(fp), 2, 0x77]][Int(upTo(3))] + uleb(8 * upTo(9))
        case 38: return [0x2d]
        default: return upTo(3) == 0 ? [0x3f] : [0x12] + uleb(fp) + [0x7e]
        }
    }

    // MARK: Comparison

    /// The differences between lookups and each FDE's own rows, at every unit of every FDE.
    private func differences(_ table: BuiltTable, _ writer: CFIWriter, _ executable: Range<UInt64>) -> [String] {
        var found: [String] = []
        writer.bytes.withUnsafeBytes { bytes in
            let section = FrameSection(kind: .ehFrame, bytes: bytes, address: 0, machine: writer.machine.rawValue)
            let lowered = LoweredFrames([section], machine: writer.machine)
            let texts = lowered.operations.withUnsafeBufferPointer { operations in
                lowered.rules.map(RuleText(machine: writer.machine, operations: operations).text(of:))
            }
            #expect(lowered.frames.count == 4000)
            let unit: UInt64 = 1 << UInt64(writer.machine.pcShift)
            for frame in lowered.frames {
                var row = 0
                for address in stride(from: frame.start, to: frame.limit, by: Int(unit)) {
                    while row + 1 < frame.rows.count, frame.rows[row + 1].address < address + unit { row += 1 }
                    let expected = texts[frame.rows[row].rule]
                    if table.text(at: address) != expected, found.count < 5 {
                        found.append("0x\(String(address, radix: 16)): \(table.text(at: address)), not \(expected)")
                    }
                }
            }
        }
        return found
    }
}
