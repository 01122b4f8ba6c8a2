import CUnwindTable
import CallFrameInfo
import Glibc
import TestFixtures
import Testing
@_exported import UnwindTable

/// A table's bytes right before an inaccessible page: a reader that goes beyond them crashes.
final class GuardedBytes {
    let bytes: UnsafeRawBufferPointer
    private let mapping: UnsafeMutableRawPointer
    private let size: Int

    /// - Parameter misalignment: how far from a multiple of 16 the bytes shall start.
    init(_ content: [UInt8], misalignment: Int = 0) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let room = (content.count + 32 + page - 1) / page * page
        size = room + page
        mapping = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        mprotect(mapping + room, page, PROT_NONE)
        let start = mapping + (room - content.count) / 16 * 16 - (misalignment == 0 ? 0 : 16 - misalignment)
        content.withUnsafeBytes { start.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        bytes = UnsafeRawBufferPointer(start: start, count: content.count)
    }

    deinit { munmap(mapping, size) }
}

/// A table made of what a `CFIWriter` wrote, verified.
final class BuiltTable {
    let bytes: [UInt8]
    let view: TableView
    let counts: cfic_counts
    let badFrames: [BadFrame]
    private let memory: GuardedBytes

    init(
        _ writer: CFIWriter, executable: [Range<UInt64>], keepsGaps: Bool = false, threads: Int = 1,
        key: TableSource.Key = .buildID([1, 2, 3, 4])
    ) throws {
        var builder = TableBuilder()
        let source = TableSource(machine: writer.machine, key: key, size: 4096)
        var made: [UInt8] = []
        var counts = cfic_counts()
        var badFrames: [BadFrame] = []
        try writer.bytes.withUnsafeBytes { bytes in
            let section = FrameSection(kind: .ehFrame, bytes: bytes, address: 0, machine: writer.machine.rawValue)
            let result = try builder.build(
                [section], executable: executable, executableBytes: executable.reduce(0) { $0 + UInt64($1.count) },
                source: source, options: TableOptions(keepsGaps: keepsGaps), threads: threads)
            made = Array(result.table)
            counts = result.counts
            badFrames = result.badFrames
        }
        bytes = made
        self.counts = counts
        self.badFrames = badFrames
        memory = GuardedBytes(made)
        view = try TableVerifier.verify(memory.bytes)
    }

    /// The offset of a CFA = SP + offset rule; nil where nothing is known because no FDE is there.
    func cfaOffset(at address: UInt64) -> Int32? {
        let rule = view.rule(at: address)
        return rule.reason == .noInformation ? nil : rule.cfa_offset
    }

    func reason(at address: UInt64) -> String? { view.rule(at: address).reason?.name }
    func text(at address: UInt64) -> String { view.describe(view.ruleNumber(at: address)) }

    var pages: [TableView.Page] {
        var pages: [TableView.Page] = []
        view.forEachPage { pages.append($0) }
        return pages
    }

    var kinds: [cfic_page_kind] { pages.map(\.kind) }

    /// Rows as the header counts them: places where the rule changes, 0 being in force outside of ranges.
    var changes: UInt64 {
        var changes: UInt64 = 0
        var inForce = 0
        var end: UInt64 = 0
        view.forEachRow { range, rule in
            if range.lowerBound != end, inForce != 0 { changes += 1 }
            if range.lowerBound != end { inForce = 0 }
            if rule != inForce { changes += 1 }
            inForce = rule
            end = range.upperBound
        }
        return changes + (inForce != 0 ? 1 : 0)
    }
}

/// Compares lookups with the linear evaluation of what was written, at every boundary and beside it; rows with
/// lookups; and the header's count of rows with the rows.
func requireSameAsLinear(
    _ table: BuiltTable, _ writer: CFIWriter, isExecutable: (UInt64) -> Bool = { _ in true },
    sourceLocation: SourceLocation = #_sourceLocation
) {
    var differences: [String] = []
    for boundary in writer.boundaries {
        for address in [boundary &- 1, boundary, boundary &+ 1] {
            let expected = isExecutable(address) ? writer.cfaOffset(at: address) : nil
            let found = table.cfaOffset(at: address)
            if found != expected { differences.append("\(address): \(found as Any) for \(expected as Any)") }
        }
    }
    #expect(differences.prefix(5) == [], sourceLocation: sourceLocation)
    requireSameRows(table, sourceLocation: sourceLocation)
}

func requireSameRows(_ table: BuiltTable, sourceLocation: SourceLocation = #_sourceLocation) {
    var wrong = 0
    var last: (end: UInt64, rule: Int)?
    table.view.forEachRow { range, rule in
        if table.view.ruleNumber(at: range.lowerBound) != rule { wrong += 1 }
        if table.view.ruleNumber(at: range.upperBound - 1) != rule { wrong += 1 }
        if let last, range.lowerBound < last.end || range.lowerBound == last.end && rule == last.rule { wrong += 1 }
        last = (range.upperBound, rule)
    }
    #expect(wrong == 0, sourceLocation: sourceLocation)
    #expect(table.changes == table.counts.rows, sourceLocation: sourceLocation)
}
