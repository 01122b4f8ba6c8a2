import CallFrameInfo
import TestFixtures
import Testing
import UnwindTable

@testable import TableBuilder

private typealias Row = StatedFrameWriter.Row

/// Call frame information that is made for code without any: its rules, and what the table says of its source.
@Suite struct StatedFrameTests {
    private func table(
        _ writer: StatedFrameWriter, _ machine: TableMachine = .x86_64, beside other: CFIWriter? = nil,
        _ source: RuleSource = .inferred, keepsGaps: Bool = false
    ) throws -> (view: TableView, memory: GuardedBytes) {
        let made = writer.section()
        let bytes = GuardedBytes(other?.bytes ?? [])
        var sections = [made.section]
        var sources = [source]
        if other != nil {
            let section = FrameSection(kind: .ehFrame, bytes: bytes.bytes, address: 0, machine: machine.rawValue)
            sections.insert(section, at: 0)
            sources.insert(.ehFrame, at: 0)
        }
        var builder = TableBuilder()
        let result = try builder.build(
            sections, sources: sources, executable: [0x1000..<0x9000], executableBytes: 0x8000,
            source: TableSource(machine: machine, key: .buildID([1, 2, 3, 4]), size: 4096),
            options: TableOptions(keepsGaps: keepsGaps))
        #expect(result.malformed.isEmpty && result.badFrames.isEmpty)
        withExtendedLifetime((made, bytes)) {}
        let memory = GuardedBytes(Array(result.table))
        return (try TableVerifier.verify(memory.bytes), memory)
    }

    @Test(
        arguments: [
            (.register(7, offset: 8), .unchanged, "CFA = rsp+8, rbp = rbp"),
            (.register(6, offset: 16), .atCFA(-16), "CFA = rbp+16, rbp = *(CFA-16)"),
            (.register(7, offset: -16), .undefined, "CFA = rsp-16, rbp = undefined"),
            (.stored(6, displacement: -24, addend: 0), .unchanged, "CFA = *(rbp-24), rbp = rbp"),
            (.stored(7, displacement: 200, addend: 8), .unchanged, "CFA = *(rsp+200)+8, rbp = rbp"),
            (.stored(7, displacement: 64, addend: -8), .atCFA(8), "CFA = *(rsp+64) + -8, rbp = *(CFA+8)"),
            (.register(10, offset: 0), .atRegister(6, 0), "CFA = r10, rbp = *(rbp)"),
            (.register(7, offset: 1 << 20), .atCFA(-4), "CFA = rsp+1048576, rbp = *(CFA-4)"),
        ] as [(StatedFrameWriter.CFA, StatedFrameWriter.Place, String)])
    func ruleIsWhatWasStated(
        _ cfa: StatedFrameWriter.CFA, _ framePointer: StatedFrameWriter.Place, _ text: String
    ) throws {
        var writer = StatedFrameWriter(machine: 62)
        writer.append(0x2000..<0x2010, [Row(address: 0x2000, cfa: cfa, framePointer: framePointer)])
        let (view, memory) = try table(writer)
        #expect(view.describe(view.ruleNumber(at: 0x2000)).hasPrefix(text + ", ra = *(CFA-8)"))
        #expect(view.ruleNumber(at: 0x2010) == 0)
        withExtendedLifetime(memory) {}
    }

    @Test func rowsBeginWhereTheyAreStated() throws {
        var writer = StatedFrameWriter(machine: 62)
        let starts: [UInt64] = [0x2000, 0x2001, 0x2040, 0x2140, 0x2640]
        writer.append(
            0x2000..<0x3000,
            starts.enumerated().map {
                Row(address: $1, cfa: .register(7, offset: Int64(8 + 8 * $0)), framePointer: .unchanged)
            })
        let (view, memory) = try table(writer)
        for (number, start) in starts.enumerated() {
            #expect(view.rule(at: start).cfaOffset == Int32(8 + 8 * number))
            let end = number + 1 < starts.count ? starts[number + 1] : 0x3000
            #expect(view.rule(at: end - 1).cfaOffset == Int32(8 + 8 * number))
        }
        withExtendedLifetime(memory) {}
    }

    @Test func linkRegisterHasTheReturnAddress() throws {
        var writer = StatedFrameWriter(machine: 183)
        writer.append(
            0x2000..<0x2020,
            [
                Row(
                    address: 0x2000, cfa: .register(31, offset: 0), framePointer: .unchanged,
                    returnAddress: .unchanged),
                Row(address: 0x2004, cfa: .register(31, offset: 16), framePointer: .unchanged),
            ])
        let (view, memory) = try table(writer, .aarch64)
        #expect(
            view.describe(view.ruleNumber(at: 0x2000))
                == "CFA = sp, x29 = x29, ra = x30 (needs live registers, inferred)")
        #expect(view.describe(view.ruleNumber(at: 0x2004)) == "CFA = sp+16, x29 = x29, ra = *(CFA-8) (inferred)")
        #expect(view.sourceRanges.map(\.addresses) == [0x2000..<0x2020])
        withExtendedLifetime(memory) {}
    }

    /// What `.eh_frame` covers ends a run; code without a rule doesn't.
    @Test(arguments: [false, true])
    func sourcesAreRunsOfAddresses(keepsGaps: Bool) throws {
        var writer = StatedFrameWriter(machine: 62)
        for start in [0x2000, 0x2020, 0x2050, 0x2070] as [UInt64] {
            writer.append(
                start..<start + 0x18, [Row(address: start, cfa: .register(7, offset: 8), framePointer: .unchanged)])
        }
        var other = CFIWriter()
        other.addFunction(0x2068, length: 0x8, [.init(1, 16)])
        let (view, memory) = try table(writer, beside: other, keepsGaps: keepsGaps)
        #expect(view.sourceRanges.map(\.addresses) == [0x2000..<0x2068, 0x2070..<0x2088])
        #expect(view.sourceRanges.allSatisfy { $0.source == .inferred })
        #expect(view.source(at: 0x2068) == .ehFrame)
        withExtendedLifetime(memory) {}
    }

    /// Up to 15 bytes in front of an aligned function are padding only between functions with call frame information.
    @Test func nothingBesideInferredCodeIsTakenForPadding() throws {
        var writer = StatedFrameWriter(machine: 62)
        for start in [0x2020, 0x2040] as [UInt64] {
            writer.append(
                start..<start + 0x18, [Row(address: start, cfa: .register(7, offset: 8), framePointer: .unchanged)])
        }
        var other = CFIWriter()
        for start in [0x2000, 0x2060, 0x2080] as [UInt64] { other.addFunction(start, length: 0x18, [.init(1, 16)]) }
        let (view, memory) = try table(writer, beside: other)
        #expect([0x201f, 0x203f, 0x205f].map { view.ruleNumber(at: $0) } == [0, 0, 0])
        #expect(view.rule(at: 0x207f).cfaOffset == 16)
        #expect(view.ruleNumber(at: 0x2017) != 0 && view.ruleNumber(at: 0x2057) != 0)
        withExtendedLifetime(memory) {}
    }

    @Test func ehFrameAloneHasNoRuns() throws {
        var other = CFIWriter()
        other.addFunction(0x2000, length: 0x10, [.init(1, 16)])
        let table = try BuiltTable(other, executable: [0x1000..<0x9000])
        #expect(table.view.sourceRanges.isEmpty)
    }
}
