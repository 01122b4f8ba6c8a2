import CUnwindTable
import KernelUnwinder
import UnwindTable

/// Compares a sampled stack with the one that libdw unwinds from its snapshot.
///
/// A frame is compared if its callee has call frame information, and if the kernel didn't guess it. The innermost frame
/// is the same by construction, so it counts for nothing.
struct StackComparison {
    /// The number of callers that both sides found, equal.
    private(set) var agreeing = 0
    /// Nil if both reach the outermost frame, by equal frames.
    private(set) var difference: LiveDifference?

    private let sample: LiveSample
    private let reference: LiveReference.Result
    private let modules: LiveModules

    init(_ sample: LiveSample, _ reference: LiveReference.Result, _ modules: LiveModules) {
        (self.sample, self.reference, self.modules) = (sample, reference, modules)
        difference = compare()
    }

    /// The number of libdw's frames that depend only on known memory.
    private var referenceCount: Int {
        let count = reference.stack.frames.count
        return reference.missed.map { min(count, $0.frame + 1) } ?? count
    }

    private mutating func compare() -> LiveDifference? {
        let frames = sample.frames, found = reference.stack.frames
        guard let innermost = frames.first, let first = found.first, innermost.pc == first.pc else {
            return .disagreement
        }
        for index in 1... {
            guard modules.hasRow(for: found[index - 1]) else {
                // Without information, the kernel may know the code, such as the start of a thread.
                let isEntry = index == frames.count && sample.end.isOutermost && modules.isEntryPoint(found[index - 1])
                return isEntry ? .entryPoint : .noCallFrameInformation
            }
            let (ours, theirs) = (index < frames.count, index < referenceCount)
            guard ours, theirs else { return difference(at: found[index - 1], kernelGoesOn: ours, libdwGoesOn: theirs) }
            if frames[index].isGuessed { return .guessed }
            guard isSame(index) else { return .disagreement }
            agreeing += 1
        }
        return nil
    }

    /// libdwfl can't tell of its last frame whether it is a signal frame, and the kernel can't of its own.
    private func isSame(_ index: Int) -> Bool {
        let ours = sample.frames[index], theirs = reference.stack.frames[index]
        let isLast = index + 1 >= min(sample.frames.count, referenceCount)
        return ours.pc == theirs.pc && (isLast || ours.isExact == theirs.isExact)
    }

    /// Why one side, or both, ended at a frame; nil if both say that it is the outermost one.
    private func difference(at frame: WalkedFrame, kernelGoesOn: Bool, libdwGoesOn: Bool) -> LiveDifference? {
        let isMissed = !libdwGoesOn && reference.missed != nil
        let libdwIsDone = !libdwGoesOn && !isMissed && reference.stack.problem == nil && !reference.stack.isCut
        if !kernelGoesOn {
            if sample.end.isOutermost {
                if libdwIsDone { return nil }
                if modules.isEntryPoint(frame) { return .entryPoint }
            } else if let known = Self.name(of: sample.end) {
                return known
            }
        }
        // Neither side got further, and neither claims that this is the outermost frame.
        if !kernelGoesOn, !libdwGoesOn, !sample.end.isOutermost, !libdwIsDone { return .unreadable }
        if isMissed, let address = reference.missed?.address {
            return reference.memory.isBeyond(address) ? .snapshotEnds : .memoryMissing
        }
        return .disagreement
    }

    /// The name of an end before the outermost frame, if it says nothing about a rule.
    private static func name(of end: StackEnd) -> LiveDifference? {
        switch cfic_step(rawValue: end.code) {
        case CFIC_STEP_NO_REGISTERS, CFIC_STEP_NO_FRAME_POINTER: .needsRegisters
        case CFIC_STEP_TOO_DEEP: .tooDeep
        case CFIC_STEP_NO_RULE: .noRule
        case CFIC_STEP_NO_MAPPING, CFIC_STEP_NO_TABLE, CFIC_STEP_TABLE_PENDING, CFIC_STEP_TABLE_EVICTED,
            CFIC_STEP_NO_PROCESS:
            .noTable
        default: nil
        }
    }
}
