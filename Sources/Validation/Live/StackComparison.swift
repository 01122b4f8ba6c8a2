import CUnwindTable
import KernelUnwinder
import Profile
import UnwindTable

/// Compares a sampled stack, with the frames that were found in user space, with the one that libdw unwinds from its
/// snapshot.
///
/// A frame is compared if its callee has call frame information, and if the kernel didn't guess it. The innermost frame
/// is the same by construction, so it counts for nothing.
struct StackComparison {
    /// The number of callers that both sides found, equal.
    private(set) var agreeing = 0
    /// Nil if both reach the outermost frame, by equal frames.
    private(set) var difference: LiveDifference?

    private let stack: ObservedStack
    private let reference: LiveReference.Result
    private let modules: LiveModules

    init(_ stack: ObservedStack, _ reference: LiveReference.Result, _ modules: LiveModules) {
        (self.stack, self.reference, self.modules) = (stack, reference, modules)
        difference = compare()
    }

    /// The number of libdw's frames that depend only on known memory.
    private var referenceCount: Int {
        let count = reference.stack.frames.count
        return reference.missed.map { min(count, $0.frame + 1) } ?? count
    }

    private mutating func compare() -> LiveDifference? {
        let frames = stack.frames, found = reference.stack.frames
        guard let innermost = frames.first, let first = found.first, innermost.pc == first.pc else {
            return .disagreement
        }
        for index in 1... {
            guard modules.hasRow(for: found[index - 1]) else {
                // Without information, the kernel may know the code, such as the start of a thread.
                let isEntry = index == frames.count && stack.end.isOutermost && modules.isEntryPoint(found[index - 1])
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
        let ours = stack.frames[index], theirs = reference.stack.frames[index]
        let isLast = index + 1 >= min(stack.frames.count, referenceCount)
        return ours.pc == theirs.pc && (isLast || ours.isExact == theirs.isExact)
    }

    /// Why one side, or both, ended at a frame; nil if both say that it is the outermost one.
    private func difference(at frame: WalkedFrame, kernelGoesOn: Bool, libdwGoesOn: Bool) -> LiveDifference? {
        let isMissed = !libdwGoesOn && reference.missed != nil
        let libdwIsDone = !libdwGoesOn && !isMissed && reference.stack.problem == nil && !reference.stack.isCut
        if !kernelGoesOn {
            if stack.end.isOutermost {
                if libdwIsDone { return nil }
                if modules.isEntryPoint(frame) { return .entryPoint }
            } else if let known = name(of: stack.end) {
                return known
            }
        }
        // Neither side got further, and neither claims that this is the outermost frame.
        if !kernelGoesOn, !libdwGoesOn, !stack.end.isOutermost, !libdwIsDone { return .unreadable }
        if isMissed, let address = reference.missed?.address {
            return reference.memory.isBeyond(address) ? .snapshotEnds : .memoryMissing
        }
        if !libdwGoesOn, lacksRegister(for: frame) { return .referenceRegisters }
        return .disagreement
    }

    /// Whether libdw's row for its outermost frame can't be evaluated with the registers that libdw knows of it.
    private func lacksRegister(for frame: WalkedFrame) -> Bool {
        let context = OutermostFrame(pc: frame.pc, registers: reference.stack.outermost, memory: reference.memory)
        guard case .unsaid = modules.row(for: frame)?.meaning(of: context) else { return false }
        return reference.memory.missed == nil
    }

    /// The name of an end before the outermost frame, if it says nothing about a rule. A walk in user space has all the
    /// registers that libdw has.
    private func name(of end: StackEnd) -> LiveDifference? {
        switch cfic_step(rawValue: end.code) {
        case CFIC_STEP_NO_REGISTERS where !stack.isFinished, CFIC_STEP_NO_FRAME_POINTER: .needsRegisters
        case CFIC_STEP_TOO_DEEP: .tooDeep
        case CFIC_STEP_NO_RULE: .noRule
        case CFIC_STEP_NO_MAPPING, CFIC_STEP_NO_TABLE, CFIC_STEP_TABLE_PENDING, CFIC_STEP_TABLE_EVICTED,
            CFIC_STEP_NO_PROCESS:
            .noTable
        default: nil
        }
    }
}

/// The outermost frame that libdw found, with the registers that libdw knows.
private struct OutermostFrame: FrameContext {
    let pc: UInt64
    let registers: [UInt64?]
    let memory: SnapshotMemory

    func register(_ number: UInt64) -> UInt64? { number < UInt64(registers.count) ? registers[Int(number)] : nil }

    func number(at address: UInt64, size: Int) -> UInt64? { memory.number(at: address, size: size) }
}
