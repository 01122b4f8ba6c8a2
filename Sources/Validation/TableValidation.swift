import UnwindTable

/// A table compared with the reference, address by address.
///
/// Both sides' rules are evaluated on the same snapshots, and what they mean must be the same.
public struct TableValidation {
    /// What both say of an address, where that differs.
    public struct Disagreement: Sendable {
        /// SVMA.
        public var address: UInt64
        public var table: FrameMeaning
        public var reference: FrameMeaning
    }

    /// Differences that have a name: nobody is wrong, or it is known who.
    public enum Known: String, CaseIterable, Sendable {
        /// Padding between functions, which a table gives the rule before it; the reference knows nothing there.
        case absorbedPadding
        /// The return address is in a register that no instruction speaks of and that is not the ABI's (`_mcount` of
        /// aarch64: x15). To the table it is there; the reference takes it for undefined.
        case unspecifiedReturnColumn
        /// A function that the linker discarded and whose FDE it left behind, beginning at address 0. A table drops it.
        case discardedFunction

        public var text: String {
            switch self {
            case .absorbedPadding: "padding between functions, which has the rule before it"
            case .unspecifiedReturnColumn: "return address in a register that libdw takes for undefined"
            case .discardedFunction: "functions that the linker discarded, at address 0"
            }
        }
    }

    /// Addresses compared.
    public private(set) var probes = 0
    public private(set) var agreements = 0
    /// Where the table has a reason instead of a rule, by reason, and the reference has an answer.
    public private(set) var unsaid: [String: Int] = [:]
    public private(set) var known: [Known: Int] = [:]
    /// The first of the disagreements; all are counted.
    public private(set) var disagreements: [Disagreement] = []
    public private(set) var disagreementCount = 0

    private static let kept = 64
    /// Bytes.
    private static let largeGap: UInt64 = 1 << 16
    private let table: TableView
    private let reference: ReferenceImage
    private var snapshots: [Snapshot]

    /// Compares at every address where either side can change, at the one before and the one after, and all through the
    /// gaps.
    ///
    /// - Parameters:
    ///   - table: of the image at the reference's path, made without gaps kept.
    ///   - states: how many snapshots each rule is evaluated on.
    public init(_ table: TableView, _ reference: ReferenceImage, states: Int = 2, seed: UInt64 = 1) {
        self.table = table
        self.reference = reference
        let machine = table.machine ?? .x86_64
        snapshots = (0..<UInt64(states)).map { Snapshot(seed: seed &+ $0 << 32, pc: 0, machine: machine) }
        let unit: UInt64 = 1 << UInt64(machine.pcShift)
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
            if rule == 0 { probeGap(range, unit) }
        }
    }

    /// Where the table knows nothing the reference could know something anywhere.
    private mutating func probeGap(_ gap: Range<UInt64>, _ unit: UInt64) {
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
    private mutating func probe(_ address: UInt64) -> UInt64? {
        probes += 1
        var end: UInt64?
        for index in snapshots.indices {
            snapshots[index].pc = address
            let row = reference.row(at: address, of: snapshots[index])
            end = row?.end
            let expected = row?.meaning ?? .nothing
            let found = table.meaning(at: address, of: snapshots[index])
            if found != expected {
                note(Disagreement(address: address, table: found, reference: expected), row)
                return end
            }
        }
        agreements += 1
        return end
    }

    private mutating func note(_ difference: Disagreement, _ row: ReferenceImage.Row?) {
        if case .unsaid(let reason) = difference.table {
            unsaid[reason, default: 0] += 1
        } else if let known = known(difference, row) {
            self.known[known, default: 0] += 1
        } else {
            disagreementCount += 1
            if disagreements.count < Self.kept { disagreements.append(difference) }
        }
    }

    private func known(_ difference: Disagreement, _ row: ReferenceImage.Row?) -> Known? {
        guard let row else { return isPadding(difference.address) ? .absorbedPadding : nil }
        if difference.reference == .endOfStack, row.returnAddressColumn != reference.usualReturnAddressColumn {
            return .unspecifiedReturnColumn
        }
        if difference.table == .nothing, isDiscarded(difference.address) { return .discardedFunction }
        return nil
    }

    /// Whether the reference's rows reach without a gap from address 0 to this one.
    private func isDiscarded(_ address: UInt64) -> Bool {
        var start: UInt64 = 0
        // More rows than one function has: a bound on the work for each of a bad file's addresses.
        for _ in 0..<1024 {
            guard let row = reference.row(at: start, of: snapshots[0]), row.end > start else { return false }
            if address < row.end { return true }
            start = row.end
        }
        return false
    }

    /// Whether the address is in a gap below 16 bytes, behind an FDE and before an aligned one: what tables absorb.
    private func isPadding(_ address: UInt64) -> Bool {
        func isKnown(_ address: UInt64) -> Bool { reference.row(at: address, of: snapshots[0]) != nil }
        let (next, overflow) = (address | 15).addingReportingOverflow(1)
        guard !overflow, isKnown(next) else { return false }
        // The last FDE ends at `address` or before, 15 bytes or less before the next one.
        return (1...15).contains { $0 <= address && isKnown(address - $0) && next - (address - $0) <= 16 }
    }
}

extension UInt64 {
    /// - Parameter unit: a power of two.
    fileprivate func roundedDown(toMultipleOf unit: UInt64) -> UInt64 { self & ~(unit - 1) }
}
