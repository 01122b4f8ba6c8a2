import TableCompiler
import UnwindTable

/// What comparing a table with the reference, address by address, gave.
///
/// Both sides' rules are evaluated on the same snapshots, and what they mean must be the same.
public struct TableValidation: Sendable {
    /// What both say of an address, where that differs.
    public struct Disagreement: Sendable {
        /// SVMA.
        public var address: UInt64
        public var table: FrameMeaning
        public var reference: FrameMeaning
    }

    /// How thorough a comparison is.
    public struct Effort: Sendable {
        /// How many snapshots each rule is evaluated on: at least 1.
        public var states = 2
        /// Other snapshots for another number.
        public var seed: UInt64 = 1
        /// Compares at every pc unit, instead of wherever either side can change.
        public var isExhaustive = false

        public init() {}
    }

    /// Addresses compared.
    public fileprivate(set) var probes = 0
    public fileprivate(set) var agreements = 0
    /// Where the table has a reason instead of a rule, by reason, and the reference has an answer.
    public fileprivate(set) var unsaidByTable: [String: Int] = [:]
    /// Where the table has a rule, and the reference no answer, by what it can't say. Each is a disagreement, too.
    public fileprivate(set) var unsaidByReference: [String: Int] = [:]
    public fileprivate(set) var known: [KnownDifference: Int] = [:]
    /// The first of the disagreements; all are counted.
    public fileprivate(set) var disagreements: [Disagreement] = []
    public fileprivate(set) var disagreementCount = 0

    /// Compares at every address where either side can change, at the one before and the one after, and all through the
    /// gaps.
    ///
    /// - Parameters:
    ///   - table: of the image at the reference's path.
    ///   - sources: the sections that it was made from, for the names of differences; nil: some then have none.
    public init(
        _ table: TableView, _ reference: ReferenceImage, sources: FrameSources? = nil, effort: Effort = Effort()
    ) {
        var probing = Probing(table, reference, sources, effort)
        if effort.isExhaustive { probing.probeEverywhere() } else { probing.probeChanges() }
        self = probing.result
    }

    /// Compares at certain addresses (SVMAs).
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

/// A comparison under way.
private struct Probing {
    var result = TableValidation()

    /// Disagreements.
    private static let kept = 64
    /// Bytes.
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

    /// Every unit of every page, and those right before and behind.
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
            // What lies between two rows belongs to no page: it is probed at its ends.
            if address != next, next != 0 { probe(next) }
            next = range.upperBound
            if address >= unit { probe(address - unit) }
            // The reference may change inside a row, too.
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

    /// Where the table knows nothing the reference could know something anywhere.
    private mutating func probeGap(_ gap: Range<UInt64>) {
        // Large gaps, of code without call frame information, at every place where compilers put a function.
        let step = gap.upperBound - gap.lowerBound > Self.largeGap ? 16 : unit
        var address = gap.lowerBound
        while address < gap.upperBound {
            probe(address)
            let (next, overflow) = (address & ~(step - 1)).addingReportingOverflow(step)
            if overflow { break }
            address = next
        }
    }

    /// Compares at an address; where the reference's row ends.
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
