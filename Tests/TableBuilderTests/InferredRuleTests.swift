import CUnwindTable
import CallFrameInfo
import TableBuilder
import TestFixtures
import Testing
import UnwindTable

/// Rules of a section that was made from instructions carry a flag, and are different rules than the same of others.
@Suite struct InferredRuleTests {
    private static let executable: [Range<UInt64>] = [0x1000..<0x9000]

    /// A function of `.eh_frame` at 0x2000 and one of an inferred section at 0x3000 that have the same rows, then
    /// functions of the inferred section with other rules: at 0x3100 a long one, at 0x3200 an end, at 0x3300 a reason.
    private func sections(_ machine: TableMachine) -> (stated: CFIWriter, inferred: CFIWriter) {
        let isAArch64 = machine == .aarch64
        let alignment: UInt64 = isAArch64 ? 4 : 1
        var stated = CFIWriter(machine, codeAlignment: alignment)
        stated.addFunction(0x2000, length: 0x40, [.init(0, 16), .init(8, 32)])
        var inferred = CFIWriter(machine, codeAlignment: alignment)
        inferred.addFunction(0x3000, length: 0x40, [.init(0, 16), .init(8, 32)])
        inferred.addFunction(0x3100, length: 0x40, [.init(0, 20)])
        inferred.addFDE(0x3200, length: 0x40, CFI.undefined(register: isAArch64 ? 30 : 16))
        inferred.addFDE(0x3300, length: 0x40, [0x3f])
        return (stated, inferred)
    }

    private func withSections<Result>(
        _ machine: TableMachine, _ body: ([FrameSection], [RuleSource]) throws -> Result
    ) rethrows -> Result {
        let (stated, inferred) = sections(machine)
        let memory = [GuardedBytes(stated.bytes), GuardedBytes(inferred.bytes)]
        defer { withExtendedLifetime(memory) {} }
        let sections = memory.map {
            FrameSection(kind: .ehFrame, bytes: $0.bytes, address: 0, machine: machine.rawValue)
        }
        return try body(sections, [.ehFrame, .inferred])
    }

    private func table(_ machine: TableMachine) throws -> (view: TableView, memory: GuardedBytes) {
        try withSections(machine) { sections, sources in
            var builder = TableBuilder()
            let result = try builder.build(
                sections, sources: sources, executable: Self.executable, executableBytes: 0x8000,
                source: TableSource(machine: machine, key: .buildID([1, 2, 3, 4]), size: 4096))
            let memory = GuardedBytes(Array(result.table))
            return (try TableVerifier.verify(memory.bytes), memory)
        }
    }

    @Test(arguments: TableMachine.allCases)
    func rulesOfAnInferredSectionAreMarked(machine: TableMachine) throws {
        let (view, memory) = try table(machine)
        for offset in [0, 8] as [UInt64] {
            let stated = view.rule(at: 0x2000 + offset), inferred = view.rule(at: 0x3000 + offset)
            #expect(!stated.isInferred && inferred.isInferred)
            #expect(view.ruleNumber(at: 0x2000 + offset) != view.ruleNumber(at: 0x3000 + offset))
            #expect(view.describe(view.ruleNumber(at: 0x3000 + offset)).contains("inferred"))
            #expect(stated.cfaOffset == inferred.cfaOffset && stated.returnAddress == inferred.returnAddress)
        }
        #expect(view.rule(at: 0x3100).isInferred && view.rule(at: 0x3100).cfaOffset == 20)
        withExtendedLifetime(memory) {}
    }

    @Test(arguments: TableMachine.allCases)
    func endsAndReasonsHaveNoMark(machine: TableMachine) throws {
        let (view, memory) = try table(machine)
        #expect(view.rule(at: 0x3200) == .endOfStack)
        #expect(view.rule(at: 0x3300) == .unknown(Reason(CFIC_REASON_UNKNOWN_INSTRUCTION)))
        withExtendedLifetime(memory) {}
    }

    @Test(arguments: TableMachine.allCases)
    func framesOnTheirOwnHaveTheSameRules(machine: TableMachine) throws {
        let lowered = withSections(machine) { LoweredFrames($0, sources: $1, machine: machine) }
        let (view, memory) = try table(machine)
        for frame in lowered.frames {
            for row in frame.rows { #expect(lowered.rules[row.rule] == view.rule(at: row.address)) }
        }
        #expect(lowered.frames.count == 5)
        withExtendedLifetime(memory) {}
    }
}
