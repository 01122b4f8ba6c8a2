import TableCompiler
import UnwindTable

/// Finds the name of a difference, if it has one.
///
/// What a name needs besides table and reference is made when it is first needed: most files never do.
final class DifferenceNames {
    private let table: TableView
    private let reference: ReferenceImage
    private let sources: FrameSources?
    private lazy var overlaps = sources.flatMap { sources in
        table.header.counts.overlappingFDEs > 0 ? OverlappingFrames(sources, table.machine) : nil
    }
    private lazy var continued = sources.flatMap { ReferenceImage(continuing: $0, machine: table.machine) }

    /// - Parameter sources: the sections that the table was made from.
    init(_ table: TableView, _ reference: ReferenceImage, _ sources: FrameSources?) {
        self.table = table
        self.reference = reference
        self.sources = sources
    }

    /// - Parameters:
    ///   - found: what the table says of `state` at an address, which is the state's pc.
    ///   - frame: the reference's row there; nil if it has none.
    func name(
        of found: FrameMeaning, _ frame: ReferenceFrame?, _ expected: FrameMeaning, of state: Snapshot
    ) -> KnownDifference? {
        if found == .endOfStack, sources?.entry?.isFunction(at: state.pc, of: table) == true { return .entryPoint }
        if isOverlapping(found, expected, state) { return .overlappingFrames }
        guard let frame else {
            if sources?.trampolineAddresses?.contains(state.pc) == true { return .signalTrampoline }
            if let frame = continued?.frame(at: state.pc) {
                return frame.meaning(of: state) == found ? .behindTerminator : nil
            }
            return isPadding(state.pc) ? .absorbedPadding : nil
        }
        if expected == .endOfStack, !frame.hasUsualReturnAddressColumn { return .unspecifiedReturnColumn }
        return found == .nothing && isDiscarded(state.pc) ? .discardedFunction : nil
    }

    /// Whether the table has the first of the FDEs there, and the reference another one; or nothing, as it drops an FDE
    /// that overlaps one which it has met before.
    private func isOverlapping(_ found: FrameMeaning, _ expected: FrameMeaning, _ state: Snapshot) -> Bool {
        guard let meanings = overlaps?.meanings(of: state), meanings.first == found else { return false }
        return expected == .nothing || meanings.dropFirst().contains(expected)
    }

    /// Whether the address is in a gap below 16 bytes, behind an FDE and before an aligned one, in which the table goes
    /// on with the rule that it has at the FDE's end: which is compared by itself.
    private func isPadding(_ address: UInt64) -> Bool {
        guard !table.header.options.keepsGaps else { return false }
        let (next, overflow) = (address | 15).addingReportingOverflow(1)
        // The entry point's function begins there whether or not the reference knows of it.
        guard !overflow, isKnown(next) || sources?.entry?.address == next else { return false }
        // The last FDE ends at the address or before, 15 bytes or less before the next one.
        for distance in UInt64(1)...15 where distance <= address && next - (address - distance) <= 16 {
            if isKnown(address - distance) {
                return table.ruleNumber(at: address) == table.ruleNumber(at: address - distance)
            }
        }
        return false
    }

    private func isKnown(_ address: UInt64) -> Bool {
        reference.frame(at: address) != nil || continued?.frame(at: address) != nil
    }

    /// Whether the reference's rows reach without a gap from address 0 to this one.
    private func isDiscarded(_ address: UInt64) -> Bool {
        var start: UInt64 = 0
        // More rows than one function has: a bound on the work for each of a bad file's addresses.
        for _ in 0..<1024 {
            guard let frame = reference.frame(at: start), frame.end > start else { return false }
            if address < frame.end { return true }
            start = frame.end
        }
        return false
    }
}
