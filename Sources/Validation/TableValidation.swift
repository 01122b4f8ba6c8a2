import TableCompiler
import UnwindTable

/// The result of comparing a table with the reference, address by address.
///
/// Both sides' rules are evaluated on the same snapshots and must have the same meaning.
public struct TableValidation: Sendable {
    /// The two meanings at an address where they differ.
    public struct Disagreement: Sendable {
        /// SVMA.
        public var address: UInt64
        public var table: FrameMeaning
        public var reference: FrameMeaning
    }

    /// How thorough a comparison is.
    public struct Effort: Sendable {
        /// The number of snapshots that each rule is evaluated on, at least 1.
        public var states = 2
        /// A different number gives different snapshots.
        public var seed: UInt64 = 1
        /// Compares at every pc unit, not only where either side can change.
        public var isExhaustive = false

        public init() {}
    }

    /// The number of addresses compared.
    public fileprivate(set) var probes = 0
    public fileprivate(set) var agreements = 0
    /// The number of addresses where the table has a reason instead of a rule and the reference has an answer, by
    /// reason.
    public fileprivate(set) var unsaidByTable: [String: Int] = [:]
    /// The number of addresses where the table has a rule and the reference has no answer, by the part that is missing.
    /// These are disagreements, too.
    public fileprivate(set) var unsaidByReference: [String: Int] = [:]
    public fileprivate(set) var known: [KnownDifference: Int] = [:]
    /// The first disagreements; `disagreementCount` counts all.
    public fileprivate(set) var disagreements: [Disagreement] = []
    public fileprivate(set) var disagreementCount = 0

    /// Compares at every address where either side can change, at the addresses before and after it, and throughout the
    /// gaps.
    ///
    /// - Parameters:
    ///   - table: the table of the image that the reference was opened for.
    ///   - sources: the sections that the table was made from; without them, some differences get no name.
    public init(
        _ table: TableView, _ reference: ReferenceImage, sources: FrameSources? = nil, effort: Effort = Effort()
    ) {
        var probing = Probing(table, reference, sources, effort)
        if effort.isExhaustive { probing.probeEverywhere() } else { probing.probeChanges() }
        self = probing.result
    }

    /// Compares at the given SVMAs.
    public init(
        _ table: TableView, _ reference: ReferenceImage, sources: FrameSources? = nil, at addresses: [UInt64],
        effort: Effort = Effort()
    ) {
        var probing = Probing(table, reference, sources, effort)
        for address in addresses { probing.probe(address) }
        self = probing.result
    }

    fileprivate init() {}
}

/// A comparison in progress.
private struct Probing {
    var result = TableValidation()

    /// The number of disagreements that are kept.
    private static let kept = 64
    /// In bytes.
    private static let largeGap: UInt64 = 1 << 16
    private let table: TableView
    private let reference: ReferenceImage
    private let names: DifferenceNames
    private let unit: UInt64
    private var snapshots: [Snapshot]

    init(
        _ table: TableView, _ reference: ReferenceImage, _ sources: FrameSources?, _ effort: TableValidation.Effort
    ) {
        self.table = table
        self.reference = reference
        names = DifferenceNames(table, reference, sources)
        let machine = table.machine
        unit = 1 << UInt64(machine.pcShift)
        snapshots = (0..<UInt64(effort.states)).map { Snapshot(seed: effort.seed &+ $0 << 32, pc: 0, machine: machine) }
    }

    /// Probes every unit of every page, and the units right before and after each range.
    mutating func probeEverywhere() {
        for range in table.ranges {
            let start = range.start_page << table.pageShift
            if start >= unit { probe(start - unit) }
            for page in 0..<UInt64(range.page_count) {
                let address = start + page << table.pageShift
                for number in 0..<UInt64(1) << (table.pageShift - UInt64(unit.trailingZeroBitCount)) {
                    probe(address + number * unit)
                }
            }
            let end = start &+ UInt64(range.page_count) << table.pageShift
            if end != 0 { probe(end) }
        }
    }

    mutating func probeChanges() {
        var next: UInt64 = 0
        table.forEachRow { range, rule in
            var address = range.lowerBound
            // No page contains the addresses between two rows; they are probed at their start.
            if address != next, next != 0 { probe(next) }
            next = range.upperBound
            if address >= unit { probe(address - unit) }
            // The reference's row may end inside the table's.
            while address < range.upperBound {
                let end = probe(address) ?? range.upperBound
                if unit < min(end, range.upperBound) - min(address, end) { probe(address + unit) }
                guard end > address, end < range.upperBound else { break }
                if end - address > unit { probe((end - 1) / unit * unit) }
                address = end.roundedDown(toMultipleOf: unit) > address ? end.roundedDown(toMultipleOf: unit) : end
            }
            probe(range.upperBound - unit)
            if rule == 0 { probeGap(range) }
        }
    }

    /// Where the table has no rule, the reference may have a row anywhere.
    private mutating func probeGap(_ gap: Range<UInt64>) {
        // In a large gap, of code without call frame information, probes only addresses where compilers put functions.
        let step = gap.upperBound - gap.lowerBound > Self.largeGap ? 16 : unit
        var address = gap.lowerBound
        while address < gap.upperBound {
            probe(address)
            let (next, overflow) = (address & ~(step - 1)).addingReportingOverflow(step)
            if overflow { break }
            address = next
        }
    }

    /// Compares at an address. Returns the end of the reference's row; nil if it has none.
    @discardableResult
    mutating func probe(_ address: UInt64) -> UInt64? {
        result.probes += 1
        let frame = reference.frame(at: address)
        for index in snapshots.indices {
            snapshots[index].pc = address
            let expected = frame?.meaning(of: snapshots[index]) ?? .nothing
            let found = table.meaning(at: address, of: snapshots[index])
            if found != expected {
                note(.init(address: address, table: found, reference: expected), frame, snapshots[index])
                return frame?.end
            }
        }
        result.agreements += 1
        return frame?.end
    }

    private mutating func note(
        _ difference: TableValidation.Disagreement, _ frame: ReferenceFrame?, _ snapshot: Snapshot
    ) {
        if case .unsaid(let reason) = difference.table {
            result.unsaidByTable[reason, default: 0] += 1
            return
        }
        if let name = names.name(of: difference.table, frame, difference.reference, of: snapshot) {
            result.known[name, default: 0] += 1
            return
        }
        if case .unsaid(let what) = difference.reference { result.unsaidByReference[what, default: 0] += 1 }
        result.disagreementCount += 1
        if result.disagreements.count < Self.kept { result.disagreements.append(difference) }
    }
}

extension UInt64 {
    /// - Parameter unit: a power of two.
    fileprivate func roundedDown(toMultipleOf unit: UInt64) -> UInt64 { self & ~(unit - 1) }
}
