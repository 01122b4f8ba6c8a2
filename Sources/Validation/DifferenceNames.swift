import TableCompiler
import UnwindTable

/// Finds the name of a difference, if it has one.
///
/// The data that only names need is built on first use, because most files have no difference.
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
    ///   - found: the meaning of the table's rule for `state` at its pc.
    ///   - frame: the reference's row there; nil if it has none.
    ///   - expected: the meaning of the reference's row.
    func name(
        of found: FrameMeaning, _ frame: ReferenceFrame?, _ expected: FrameMeaning, of state: Snapshot
    ) -> KnownDifference? {
        if found == .endOfStack, sources?.entry?.isFunction(at: state.pc, of: table) == true { return .entryPoint }
        if isOverlapping(found, expected, state) { return .overlappingFrames }
        guard let frame else {
            if sources?.trampolineAddresses?.contains(state.pc) == true { return .signalTrampoline }
            if table.source(at: state.pc) == .inferred { return .inferred }
            if sources?.goFrames?.contains(state.pc) == true { return .goFunction }
            if let frame = continued?.frame(at: state.pc) {
                return frame.meaning(of: state) == found ? .behindTerminator : nil
            }
            return isPadding(state.pc) ? .absorbedPadding : nil
        }
        if expected == .endOfStack, !frame.hasUsualReturnAddressColumn { return .unspecifiedReturnColumn }
        return found == .nothing && isDiscarded(state.pc) ? .discardedFunction : nil
    }

    /// Whether the table has the first of several FDEs there, and the reference another one, or nothing: it drops an
    /// FDE that overlaps one that it read before.
    private func isOverlapping(_ found: FrameMeaning, _ expected: FrameMeaning, _ state: Snapshot) -> Bool {
        guard let meanings = overlaps?.meanings(of: state), meanings.first == found else { return false }
        return expected == .nothing || meanings.dropFirst().contains(expected)
    }

    /// Whether the address is in a gap of less than 16 bytes between an FDE and a 16-byte aligned one, and the table
    /// extends the rule at the first FDE's end over it. That rule itself is compared where the FDE ends.
    private func isPadding(_ address: UInt64) -> Bool {
        guard !table.header.options.keepsGaps else { return false }
        let (next, overflow) = (address | 15).addingReportingOverflow(1)
        // The reference may have no FDE for the entry point, where a function starts nevertheless.
        guard !overflow, isKnown(next) || sources?.entry?.address == next else { return false }
        // The previous FDE ends at the address or before it, at most 15 bytes before the next one.
        for distance in UInt64(1)...15 where distance <= address && next - (address - distance) <= 16 {
            if isKnown(address - distance) {
                return table.ruleNumber(at: address) == table.ruleNumber(at: address - distance)
            }
        }
        return false
    }

    private func isKnown(_ address: UInt64) -> Bool {
        reference.frame(at: address) != nil || continued?.frame(at: address) != nil
            || sources?.goFrames?.contains(address) == true
    }

    /// Whether the reference's rows extend from address 0 to this one without a gap.
    private func isDiscarded(_ address: UInt64) -> Bool {
        var start: UInt64 = 0
        // More rows than a function has; limits the work for each address of a bad file.
        for _ in 0..<1024 {
            guard let frame = reference.frame(at: start), frame.end > start else { return false }
            if address < frame.end { return true }
            start = frame.end
        }
        return false
    }
}
