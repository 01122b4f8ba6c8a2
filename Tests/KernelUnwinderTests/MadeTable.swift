import CUnwindTable
import CallFrameInfo
import TableBuilder
import TestFixtures
import UnwindTable

/// A proved table of functions that a test defines.
final class MadeTable {
    struct Function {
        var start: UInt64
        var length: UInt64
        var rows: [Row] = []

        init(_ start: UInt64, length: UInt64, _ rows: [Row] = []) {
            self.start = start
            self.length = length
            self.rows = rows
        }

        /// Rows at equal distances.
        init(_ start: UInt64, length: UInt64, every distance: Int, count: Int, cfa: (Int) -> Int) {
            self.init(start, length: length, (0..<count).map { Row($0 * distance, cfa($0)) })
        }
    }

    /// The CFA offset from a distance after the function's start on.
    struct Row {
        var at: UInt64
        var cfa: UInt64
        /// Further instructions, after that for the CFA.
        var instructions: [UInt8]

        init(_ at: Int, _ cfa: Int, _ instructions: [UInt8] = []) {
            self.at = UInt64(at)
            self.cfa = UInt64(cfa)
            self.instructions = instructions
        }
    }

    let view: TableView
    private let memory: UnsafeMutableRawBufferPointer

    /// - Parameters:
    ///   - functions: in ascending order of their addresses.
    ///   - machine: the machine whose registers the rules name.
    ///   - key: the table's key.
    ///   - source: what the rules come from.
    init(
        _ functions: [Function], machine: TableMachine = .x86_64, key: TableSource.Key = .buildID([1, 2, 3]),
        source: RuleSource = .ehFrame
    ) throws {
        let bytes = Self.section(functions, machine)
        let ranges = functions.map { $0.start..<$0.start + $0.length }
        var builder = TableBuilder()
        memory = try bytes.withUnsafeBytes { bytes in
            let section = FrameSection(kind: .ehFrame, bytes: bytes, address: 0, machine: machine.rawValue)
            let table = try builder.build(
                [section], sources: [source], executable: ranges,
                executableBytes: ranges.reduce(0) { $0 + $1.upperBound - $1.lowerBound },
                source: TableSource(machine: machine, key: key, size: 4096)
            ).table
            let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: table.count, alignment: 16)
            memory.copyMemory(from: table)
            return memory
        }
        view = try TableVerifier.verify(UnsafeRawBufferPointer(memory))
    }

    deinit { memory.deallocate() }

    /// An .eh_frame with 8-byte addresses: a CIE and an FDE for each function (LSB, "Exception Frames").
    private static func section(_ functions: [Function], _ machine: TableMachine) -> [UInt8] {
        // Version 1, no augmentation, code alignment 1, data alignment -8.
        let start: [UInt8] = [1, 0, 1, 0x78]
        let cie =
            machine == .x86_64
            // Return address column 16; DW_CFA_def_cfa r7 8; DW_CFA_offset r16 1.
            ? start + [16, 0x0c, 7, 8, 0x90, 1]
            // Column 30; DW_CFA_def_cfa r31 0.
            : start + [30, 0x0c, 31, 0]
        var bytes = entry(little(UInt32(0)) + cie)
        for function in functions {
            var body = little(UInt32(bytes.count + 4)) + little(function.start) + little(function.length)
            var last: UInt64 = 0
            for row in function.rows {
                if row.at > last { body += [0x04] + little(UInt32(row.at - last)) }  // DW_CFA_advance_loc4
                body += [0x0e] + uleb(row.cfa) + row.instructions  // DW_CFA_def_cfa_offset
                last = row.at
            }
            bytes += entry(body)
        }
        return bytes + little(UInt32(0))
    }

    private static func entry(_ body: [UInt8]) -> [UInt8] {
        let padding = [UInt8](repeating: 0, count: (8 - (body.count + 4) % 8) % 8)
        return little(UInt32(body.count + padding.count)) + body + padding
    }

    private static func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    private static func uleb(_ value: UInt64) -> [UInt8] {
        value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7f | 0x80)] + uleb(value >> 7)
    }
}

extension TableView {
    /// Addresses on both sides of each change of rules.
    var edges: [UInt64] {
        var edges: [UInt64] = []
        forEachRow { range, _ in edges += [range.lowerBound, range.upperBound - 1] }
        return edges
    }

    /// `count` random addresses in the ranges of its pages.
    func addresses(_ count: Int, seed: UInt64 = 1) -> [UInt64] {
        var random = SeededGenerator(seed: seed)
        let pages = ranges.map { ($0.start_page << pageShift)..<(($0.start_page + UInt64($0.page_count)) << pageShift) }
        return (0..<count).compactMap { _ in
            pages.randomElement(using: &random).map { UInt64.random(in: $0, using: &random) }
        }
    }
}
