import CUnwindTable
import UnwindTable

/// A thread's stack by our tables, compared with the one by libdwfl's unwinder.
public struct ThreadValidation: Sendable {
    /// The known reasons why our walk ends before libdwfl's.
    public enum Known: String, CaseIterable, Sendable {
        /// There is no call frame information for the last frame; libdwfl continues with frame pointers.
        case noCallFrameInformation
        /// The rule reads a register that tables don't carry from frame to frame; libdwfl carries all registers.
        case needsRegisters
        /// The stack has more frames than a walk follows.
        case tooDeep
        /// The table has a reason instead of a rule.
        case noRule
        /// The entry point, which nothing called. libdwfl continues, because call frame information contradicts this or
        /// is missing.
        case entryPoint

        public var text: String {
            switch self {
            case .noCallFrameInformation: "there is no call frame information; libdw continues by frame pointers"
            case .needsRegisters: "the rule needs a register that tables don't carry from frame to frame"
            case .tooDeep: "more frames than a walk follows"
            case .noRule: "the table has a reason instead of a rule"
            case .entryPoint: "the entry point, which nothing calls; libdw continues"
            }
        }
    }

    /// The first difference between the stacks.
    public struct Difference: Sendable {
        /// Index of the frame that differs, or that only one side has; 0 is the innermost.
        public var index: Int
        /// Each side's frame, or how its walk ended.
        public var table: String
        public var reference: String
        /// The previous frame, its file, and both sides' rules for it: these led to the difference.
        public var callee: String
        public var file: String
        public var rule: String
        public var referenceRow: String
        /// The caller that libdw's row gives for the previous frame.
        public var meaning: String
    }

    public var id: Int32
    /// Our frames, the innermost first.
    public var frames: [WalkedFrame]
    /// The number of frames that are equal on both sides.
    public var agreeing: Int
    /// How our walk ended: a name in `cfic/steps.h`, and its text.
    public var end: String
    public var endText: String
    /// Whether our walk reached the outermost frame according to the rules.
    public var isComplete: Bool
    /// The number of frames that libdwfl found beyond our last one. Unless `known` explains them, they are a
    /// difference.
    public var further: Int
    public var known: Known?
    public var difference: Difference?

    init(_ walk: TableWalk, _ reference: ReferenceStack, _ core: CoreFile, _ modules: [CoreModule]) {
        id = reference.id
        frames = walk.frames
        end = walk.end.name
        endText = cfic_step_text(walk.end.rawValue).map { String(cString: $0) } ?? end
        // Nothing is guessed here.
        isComplete = cfic_is_complete(walk.end.rawValue, 0) != 0
        let walked = walk.frames.activations(among: reference.frames.count)
        agreeing = zip(walked, reference.frames).prefix { $0 == $1 }.count
        further = max(0, reference.frames.count - walk.frames.count)
        let isSame = agreeing == walk.frames.count && agreeing == reference.frames.count
        if isSame, isComplete == (reference.problem == nil && !reference.isCut) { return }
        if agreeing == walk.frames.count, walk.end == CFIC_STEP_END_OF_STACK, let last = walk.frames.last,
            modules.module(at: last.lookupPC)?.isEntryPoint(at: last.lookupPC) == true
        {
            if !isSame { known = .entryPoint }
            return
        }
        if agreeing == walk.frames.count, !isComplete {
            known = Self.name(of: walk.end, at: walk.frames.last, modules)
            // Neither side got further, and neither claims that this is the outermost frame.
            if known != nil || isSame { return }
        }
        difference = difference(walk, walked, reference, core, modules)
    }

    private static func name(of end: cfic_step, at frame: WalkedFrame?, _ modules: [CoreModule]) -> Known? {
        guard let frame else { return nil }
        let module = modules.module(at: frame.lookupPC)
        switch end {
        case CFIC_STEP_NO_MAPPING where module == nil: return .noCallFrameInformation
        case CFIC_STEP_NO_TABLE, CFIC_STEP_NO_RULE:
            if module?.referenceFrame(at: frame.lookupPC) == nil { return .noCallFrameInformation }
            return end == CFIC_STEP_NO_RULE ? .noRule : nil
        case CFIC_STEP_NO_REGISTERS: return .needsRegisters
        case CFIC_STEP_TOO_DEEP: return .tooDeep
        default: return nil
        }
    }

    private func difference(
        _ walk: TableWalk, _ walked: [WalkedFrame], _ reference: ReferenceStack, _ core: CoreFile,
        _ modules: [CoreModule]
    ) -> Difference {
        let callee = agreeing > 0 ? walk.frames[agreeing - 1] : nil
        let module = callee.flatMap { modules.module(at: $0.lookupPC) }
        let row = callee.flatMap { module?.referenceFrame(at: $0.lookupPC) }
        let dumped = callee.map {
            DumpedFrame(
                frame: $0, memory: core, machine: walk.machine, registers: agreeing == 1 ? reference.registers : [])
        }
        func text(_ frames: [WalkedFrame], _ end: String) -> String {
            frames.indices.contains(agreeing) ? "\(frames[agreeing])" : end
        }
        return Difference(
            index: agreeing, table: text(walked, endText), reference: text(reference.frames, reference.endText),
            callee: callee.map { "\($0)" } ?? "none", file: module?.image.name ?? "no mapped file",
            rule: callee.flatMap { module?.ruleText(at: $0.lookupPC) } ?? "none",
            referenceRow: row?.text ?? "no row",
            meaning: dumped.flatMap { row?.meaning(of: $0).description } ?? "nothing")
    }
}

extension [WalkedFrame] {
    /// The frames, with pcs marked exact wherever libdwfl marks them: also in a signal frame itself, which precedes a
    /// frame with an exact pc (dwfl_frame_pc: "activation"). libdwfl can't mark its last frame so.
    ///
    /// - Parameter count: the number of libdwfl's frames.
    func activations(among count: Int) -> [WalkedFrame] {
        indices.map { index in
            var frame = self[index]
            if index + 1 < Swift.min(self.count, count), self[index + 1].isExact { frame.isExact = true }
            return frame
        }
    }
}
