import CallFrameInfo
import Glibc
import TableBuilder
import UnwindTable

/// A table's bytes directly before an inaccessible memory page, so that a read past their end crashes.
package final class GuardedBytes {
    package let bytes: UnsafeRawBufferPointer
    private let mapping: UnsafeMutableRawPointer
    private let size: Int

    /// - Parameter misalignment: the distance of the bytes' start from a multiple of 16.
    package init(_ content: [UInt8], misalignment: Int = 0) {
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

/// A verified table made from a `CFIWriter`'s section, or from another one.
package final class BuiltTable {
    package let bytes: [UInt8]
    package let view: TableView
    package let counts: TableCounts
    package let badFrames: [BadFrame]
    private let memory: GuardedBytes

    /// - Parameter inferred: a section for the same machine whose rules are to be those of a section that was made from
    ///   instructions.
    package convenience init(
        _ writer: CFIWriter, inferred: CFIWriter? = nil, executable: [Range<UInt64>], keepsGaps: Bool = false,
        threads: Int = 1, key: TableSource.Key = .buildID([1, 2, 3, 4])
    ) throws {
        let memory = [writer.bytes] + (inferred.map { [$0.bytes] } ?? [])
        let bytes = memory.map { GuardedBytes($0) }
        try self.init(
            bytes.map {
                FrameSection(kind: .ehFrame, bytes: $0.bytes, address: 0, machine: writer.machine.rawValue)
            },
            sources: Array([.ehFrame, .inferred].prefix(bytes.count)), writer.machine, executable: executable,
            keepsGaps: keepsGaps, threads: threads, key: key)
        withExtendedLifetime(bytes) {}
    }

    package convenience init(
        _ section: FrameSection, _ machine: TableMachine, executable: [Range<UInt64>], keepsGaps: Bool = false,
        threads: Int = 1, key: TableSource.Key = .buildID([1, 2, 3, 4])
    ) throws {
        try self.init(
            [section], sources: [], machine, executable: executable, keepsGaps: keepsGaps, threads: threads, key: key)
    }

    private init(
        _ sections: [FrameSection], sources: [RuleSource], _ machine: TableMachine, executable: [Range<UInt64>],
        keepsGaps: Bool, threads: Int, key: TableSource.Key
    ) throws {
        var builder = TableBuilder()
        let result = try builder.build(
            sections, sources: sources, executable: executable,
            executableBytes: executable.reduce(0) { $0 + UInt64($1.count) },
            source: TableSource(machine: machine, key: key, size: 4096), options: TableOptions(keepsGaps: keepsGaps),
            threads: threads)
        bytes = Array(result.table)
        counts = result.counts
        badFrames = result.badFrames
        memory = GuardedBytes(bytes)
        view = try TableVerifier.verify(memory.bytes)
    }

    /// The offset of a CFA = SP + offset rule; nil where there is no FDE.
    package func cfaOffset(at address: UInt64) -> Int32? {
        let rule = view.rule(at: address)
        return rule.reason == .noInformation ? nil : rule.cfaOffset
    }

    package func reason(at address: UInt64) -> String? { view.rule(at: address).reason?.name }
    package func text(at address: UInt64) -> String { view.describe(view.ruleNumber(at: address)) }

    package var pages: [TableView.Page] {
        var pages: [TableView.Page] = []
        view.forEachPage { pages.append($0) }
        return pages
    }

    package var kinds: [TableView.PageKind] { pages.map(\.kind) }

    /// The number of rows as in the header: addresses where the rule changes. Outside ranges the rule is 0.
    package var changes: UInt64 {
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
