import KernelUnwinder

/// What processes map, and the code that was found in samples. Samples are judged by what was mapped when they were
/// taken: the programs unwind by what they were told last, and a process may have mapped another file there since.
public struct Programs {
    private var histories: [Int32: ProcessHistory] = [:]
    private var code = CodeSpace()
    /// Rises with each reading of events.
    private(set) var round = 0
    /// When events were read last: CLOCK_MONOTONIC, in nanoseconds.
    private var roundStart: UInt64 = 0
    /// Whether events of this round were lost.
    private var isLossy = false

    package init() {}

    // MARK: Events

    /// What became of a process.
    package mutating func note(_ change: KernelUnwinder.Change) {
        let process = change.process
        switch change.kind {
        case .read(let images): note(images, of: process)
        case .mapped(let mapping):
            histories[process, default: ProcessHistory()].note(.mapped(mapping), at: change.time, round: round)
        case .exec:
            histories[process, default: ProcessHistory()].note(.exec, at: change.time, round: round)
        case .forked(let parent):
            // It maps what its parent does, be that younger than what the parent's samples are unwound by.
            histories[process] = ProcessHistory(forkedFrom: histories[parent], at: change.time)
        case .ended: histories[process]?.ended = round
        case .failed: break
        case .lost: isLossy = true
        }
    }

    /// What was read of a process. One that has ended maps nothing.
    package mutating func note(_ images: ProcessImages, of process: Int32) {
        if images.mappings.isEmpty { return }
        var history = histories[process] ?? ProcessHistory()
        if isLossy { history.noteLoss(images, since: roundStart, round: round) }
        history.note(images)
        histories[process] = history
    }

    /// Forgets what no sample that is still to be read can need. To be called after changes were noted and the samples
    /// that were read before them were judged: what is read in the next round may have been taken in this one.
    ///
    /// - Parameter time: when the reading of these changes began.
    package mutating func endRound(at time: UInt64) {
        histories = histories.filter { $0.value.ended.map { $0 >= round } ?? true }
        for (process, history) in histories where !history.isQuiet { histories[process]?.forget(before: round) }
        round += 1
        (roundStart, isLossy) = (time, false)
    }

    /// Processes that something is known of.
    var count: Int { histories.count }

    /// Images without a table that samples were seen in, and why, each once, by name: their frames were found by the
    /// frame pointer, if at all.
    public var imagesWithoutTable: [(name: String, problem: String)] {
        code.problems.sorted { $0.key < $1.key }.map { (name: $0.key, problem: $0.value) }
    }

    // MARK: Samples

    /// Gives frames their addresses in the space of all code; and cuts a stack off behind a frame where another file is
    /// mapped than the rule was of that its caller was found by.
    ///
    /// - Parameters:
    ///   - stack: with AVMAs, the innermost first.
    ///   - time: of the sample.
    ///   - base: what it was unwound by: ``/KernelUnwinder/KernelUnwinder/images(numbered:)``.
    package mutating func resolve(_ stack: inout Stacks.Stack, at time: UInt64, unwoundBy base: ProcessImages?) {
        // Another process may have had the id before.
        let history = histories[stack.program.process].flatMap { $0.began <= time ? $0 : nil } ?? ProcessHistory()
        for (index, frame) in stack.userFrames.enumerated() {
            let address = frame.lookupAddress
            let found = history.mapping(at: address, time: time, base: base)
            switch found {
            case .mapping(let mapping, let isYounger):
                stack.userFrames[index] = frame.moved(to: code.address(of: frame.pc, in: mapping))
                guard isYounger, let used = base?.mapping(at: address), !used.isSame(as: mapping), used.hasRules else {
                    continue
                }
            case .none:
                stack.userFrames[index] = frame.moved(to: 1)
                continue
            case .unknown: stack.userFrames[index] = frame.moved(to: 1)
            }
            stack.userFrames.removeSubrange((index + 1)...)
            stack.end = .mappingChanged
            break
        }
        stack.program.isResolved = true
    }

    /// Where frames of a stack are looked up: what its process maps now, or, once it is resolved, all code.
    package func images(of program: ProgramID) -> ProcessImages? {
        program.isResolved ? code.images : histories[program.process]?.reading
    }
}

extension ProcessImages.Mapping {
    /// Whether callers of what stands there were found by a table.
    fileprivate var hasRules: Bool { image.map { $0.problem == nil } ?? false }
}
