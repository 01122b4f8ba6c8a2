import KernelUnwinder

/// The mappings of processes, and the code found in samples. A sample is resolved with the mappings at the time when it
/// was taken. It may have been unwound with older ones, because the process mapped another file after the last ones
/// were published to the BPF programs.
public struct ProcessHistories {
    private var histories: [Int32: ProcessHistory] = [:]
    private var code = CodeSpace()
    /// Incremented each time that events are read.
    private(set) var round = 0
    /// When events were last read, by CLOCK_MONOTONIC, in nanoseconds.
    private var roundStart: UInt64 = 0
    /// Whether events were lost in this round.
    private var isLossy = false

    package init() {}

    // MARK: Events

    /// Notes a change of a process.
    package mutating func note(_ change: KernelUnwinder.Change) {
        let process = change.process
        switch change.kind {
        case .read(let images): note(images, of: process)
        case .mapped(let mapping):
            histories[process, default: ProcessHistory()].note(.mapped(mapping), at: change.time, round: round)
        case .exec:
            histories[process, default: ProcessHistory()].note(.exec, at: change.time, round: round)
        case .forked(let parent):
            // Its mappings are its parent's, including those that are newer than the ones used to unwind its samples.
            histories[process] = ProcessHistory(forkedFrom: histories[parent], at: change.time)
        case .ended: histories[process]?.ended = round
        case .failed: break
        case .lost: isLossy = true
        }
    }

    /// Notes the mappings read of a process. A process that has ended has none.
    package mutating func note(_ images: ProcessImages, of process: Int32) {
        if images.mappings.isEmpty { return }
        var history = histories[process] ?? ProcessHistory()
        if isLossy { history.noteLoss(images, since: roundStart, round: round) }
        history.note(images)
        histories[process] = history
    }

    /// Forgets everything that unread samples can't need. Call it after noting changes and resolving the samples that
    /// were read before them. Samples that are read in the next round may have been taken in this one.
    ///
    /// - Parameter time: when the reading of these changes began.
    package mutating func endRound(at time: UInt64) {
        histories = histories.filter { $0.value.ended.map { $0 >= round } ?? true }
        for (process, history) in histories where !history.isQuiet { histories[process]?.forget(before: round) }
        round += 1
        (roundStart, isLossy) = (time, false)
    }

    /// The number of processes with a history.
    var count: Int { histories.count }

    /// Images without a table that occurred in samples, each once, with the reason, sorted by name. Their callers were
    /// found by the frame pointer, if at all.
    public var imagesWithoutTable: [(name: String, problem: String)] {
        code.problems.sorted { $0.key < $1.key }.map { (name: $0.key, problem: $0.value) }
    }

    // MARK: Samples

    /// Converts a stack's addresses to those of the common address space. Cuts off the callers of a frame whose address
    /// belonged to another file than the one whose rule was used.
    ///
    /// - Parameters:
    ///   - stack: with AVMAs, the innermost first.
    ///   - time: of the sample.
    ///   - base: what it was unwound by: ``/KernelUnwinder/KernelUnwinder/images(numbered:)``.
    package mutating func resolve(_ stack: inout Stacks.Stack, at time: UInt64, unwoundBy base: ProcessImages?) {
        // Another process may have had the id before.
        let history = histories[stack.space.process].flatMap { $0.began <= time ? $0 : nil } ?? ProcessHistory()
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
        stack.space.isResolved = true
    }

    /// The mappings in which to look up the frames of a stack: its process's current ones or, if it is resolved, all
    /// code.
    package func images(of space: AddressSpace) -> ProcessImages? {
        space.isResolved ? code.images : histories[space.process]?.reading
    }
}

extension ProcessImages.Mapping {
    /// Whether callers of frames there were found by a table.
    fileprivate var hasRules: Bool { image.map { $0.problem == nil } ?? false }
}
