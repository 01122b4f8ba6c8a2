import TestFixtures
import Testing
import UnwindTable

/// Stored tables are compiled again only if `Producer.revision` changes. It must change if the same input gives
/// different bytes.
@Suite struct RevisionTests {
    /// Functions of all sizes with all kinds of rules, so that there are pages of all kinds.
    private func writer(_ machine: TableMachine) -> CFIWriter {
        var writer = CFIWriter(machine, codeAlignment: machine == .x86_64 ? 1 : 4)
        var random = SeededGenerator(seed: 7)
        let unit: UInt64 = machine == .x86_64 ? 1 : 4
        var start: UInt64 = 0x1000
        for number in 0..<6000 {
            let length =
                UInt64.random(in: 2...(number < 2000 ? 40 : number < 4000 ? 200 : 900), using: &random) * 8 * unit
            let rows = (1..<UInt64.random(in: 1...12, using: &random)).map {
                CFIWriter.Row($0 * 4 * unit, Int32.random(in: 1...300, using: &random) * 8)
            }
            writer.addFunction(start, length: length, rows.filter { $0.at < length })
            start += length + (number % 17 == 0 ? 32 * unit : 0)
        }
        writer.addFDE(start, length: 64 * unit, CFI.defineCFA(expression: [0x77, 0x08, 0x06]))
        writer.addFDE(start + 64 * unit, length: 64 * unit, CFI.sameValue(register: 6) + CFI.undefined(register: 16))
        return writer
    }

    /// If this fails and the change is intended, raise `Producer.revision` and update the values here.
    @Test(arguments: [
        (TableMachine.x86_64, 12_054_443_544_352_954_292 as UInt64), (.aarch64, 3_702_065_144_702_235_525),
    ])
    func outputIsThatOfTheRevision(machine: TableMachine, checksum: UInt64) throws {
        #expect(Producer.revision == 1)
        let writer = writer(machine)
        let end = try #require(writer.functions.last).limit + 0x1000
        let table = try BuiltTable(writer, executable: [0x1000..<end])
        for kind in [TableView.PageKind.sparse, .dense, .quarters] { #expect(table.kinds.contains(kind)) }
        // All bytes except the producer's version and the header's checksum.
        var bytes = table.bytes
        bytes.replaceSubrange(16..<20, with: [0, 0, 0, 0])
        bytes.removeSubrange(table.view.header.size - 8..<table.view.header.size)
        #expect(bytes.withUnsafeBytes { TableView.checksum($0) } == checksum)
    }
}
