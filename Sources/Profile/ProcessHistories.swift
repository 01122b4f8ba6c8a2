import KernelUnwinder
import LinuxProcess

/// The mappings of processes, and the code found in samples. A sample is resolved with the mappings at the time when it
/// was taken. It may have been unwound with older ones, because the process mapped another file after the last ones
/// were published to the BPF programs.
public struct ProcessHistories {
    private var histories: [Int32: ProcessHistory] = [:]
    /// Those with events, or that have ended, since the last round.
    private var changed: Set<Int32> = []
    /// Opens the file of a mapping that is known by an event.
    private let open: (_ mapping: ProcessImages.Mapping, _ process: Int32) -> ProcessImages.Mapping
    private(set) var code: CodeSpace
    private(set) var generatedCode: GeneratedCode
    /// Incremented each time that events are read.
    private(set) var round = 0
    /// When events were last read, by CLOCK_MONOTONIC, in nanoseconds.
    private var roundStart: UInt64 = 0
    /// Whether events were lost in this round.
    private var isLossy = false
    /// The round in which all that was known was last forgotten, and when events were last read before.
    private var forgotten: (round: Int, since: UInt64)?

    /// - Parameters:
    ///   - open: opens the file of a mapping of a process: ``/KernelUnwinder/KernelUnwinder/opened(_:in:)``.
    ///   - openNames: opens the files in which a process names the code that it generates, given the names of its mappings.
    package init(
        open: @escaping (_ mapping: ProcessImages.Mapping, _ process: Int32) -> ProcessImages.Mapping = { mapping, _ in
            mapping
        },
        openNames: @escaping (_ process: Int32, _ mapped: [String]) throws(ProcessError) -> [CodeNameFile] = { _, _ in
            []
        }
    ) { (self.open, code, generatedCode) = (open, CodeSpace(), GeneratedCode(open: openNames)) }

    /// Of code alone.
    init(code: CodeSpace, generatedCode: GeneratedCode = GeneratedCode()) {
        (open, self.code, self.generatedCode) = ({ mapping, _ in mapping }, code, generatedCode)
    }

    // MARK: Events

    /// Notes a change of a process.
    package mutating func note(_ change: KernelUnwinder.Change) {
        let process = change.process
        changed.insert(process)
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
        case .lost:
            isLossy = true
            generatedCode.forgetProcesses()
            // What was mapped or executed meanwhile isn't known.
            histories = histories.filter { !$0.value.isByEvents }
        case .forgotten(let kept):
            (isLossy, forgotten) = (true, (round, roundStart))
            generatedCode.forgetProcesses()
            histories = histories.filter { kept.contains($0.key) && !$0.value.isByEvents }
        }
    }

    /// Notes the mappings read of a process. A process that has ended has none.
    package mutating func note(_ images: ProcessImages, of process: Int32) {
        if images.mappings.isEmpty { return }
        var history = histories[process] ?? ProcessHistory()
        if isLossy { history.noteLoss(images, since: roundStart, round: round) }
        history.note(images)
        histories[process] = history
        changed.insert(process)
    }

    /// Forgets everything that unread samples can't need. Call it after noting changes and resolving the samples that
    /// were read before them. Samples that are read in the next round may have been taken in this one.
    ///
    /// - Parameter time: when the reading of these changes began.
    package mutating func endRound(at time: UInt64) {
        for process in changed { endRound(of: process) }
        round += 1
        (roundStart, isLossy) = (time, false)
    }

    /// Whether a stack that was unwound by known mappings of a process resolves to the same stack whenever its sample was
    /// taken. It doesn't while there are events of the process that some samples are older than.
    func isSettled(_ process: Int32) -> Bool { !changed.contains(process) && !mayBeUnknown(.max) }

    /// Whether processes may have changed before this time without being known to have: their events were lost. The BPF
    /// programs had the old mappings until these were forgotten, later in that round.
    private func mayBeUnknown(_ time: UInt64) -> Bool {
        forgotten.map { round <= $0.round + 1 && time >= $0.since } ?? false
    }

    private mutating func endRound(of process: Int32) {
        guard let history = histories[process] else { return _ = changed.remove(process) }
        if let ended = history.ended {
            guard ended < round else { return }
            histories[process] = nil
            generatedCode.end(process)
        } else if !history.isQuiet {
            histories[process]?.forget(before: round)
            return
        }
        changed.remove(process)
    }

    /// The number of processes with a history.
    var count: Int { histories.count }

    /// Images without a table that occurred in samples, each once, with the reason, sorted by name. Their callers were
    /// found by the frame pointer, if at all.
    public var imagesWithoutTable: [(name: String, problem: String)] {
        code.problems.sorted { $0.key < $1.key }.map { (name: $0.key, problem: $0.value) }
    }

    // MARK: Files that are gone

    /// ``CodeSpace/takeUnmapped()``
    mutating func takeUnmapped() -> [ProcessImages.Mapping] { code.takeUnmapped() }

    /// The pieces of all files that are open.
    var openPieces: [ProcessImages.Mapping] { code.images.mappings.filter { $0.image?.image != nil } }

    /// Moves frames to the addresses that stand for their functions.
    ///
    /// - Returns: the new number for an old one.
    mutating func moveFrames(
        of stacks: inout Stacks, to functions: FunctionNames
    ) -> (Stacks.Number) -> Stacks.Number {
        stacks.moveFrames(
            { frame in
                guard let name = functions.user[frame.unmarked] else { return frame }
                return frame.moved(to: code.address(ofFunction: name, isExact: frame.isExact))
            }, kernel: { functions.kernel[$0] ?? $0 })
    }

    /// ``CodeSpace/close(_:)``
    mutating func close(_ pieces: [ProcessImages.Mapping]) { code.close(pieces) }

    // MARK: Intervals

    /// Takes out the code that was found in samples, for another thread to name it. What is known of processes stays.
    ///
    /// - Returns: the code, and a function that moves a stack that goes on to the code that will be found from now on.
    mutating func takeCode() -> (code: ProcessHistories, move: (inout Stacks.Stack, inout ProcessHistories) -> Void) {
        let taken = ProcessHistories(code: code.forAnotherThread(), generatedCode: generatedCode)
        let (old, owners) = (code, generatedCode.forgetEnded())
        code = CodeSpace()
        return (
            taken,
            { stack, histories in
                for (index, frame) in stack.userFrames.enumerated() {
                    stack.userFrames[index] = frame.moved(
                        to: histories.code.address(of: frame, in: old, owners: owners))
                }
            }
        )
    }

    // MARK: Samples

    /// Converts a stack's addresses to those of the common address space. Cuts off the callers of a frame whose address
    /// belonged to another file than the one whose rule was used.
    ///
    /// - Parameters:
    ///   - stack: with AVMAs, the innermost first.
    ///   - time: of the sample.
    ///   - base: what it was unwound by: ``/KernelUnwinder/KernelUnwinder/images(numbered:)``.
    /// - Returns: whether all its code is that of files: what is known of other code depends on the process and the time.
    @discardableResult
    package mutating func resolve(
        _ stack: inout Stacks.Stack, at time: UInt64, unwoundBy base: ProcessImages?
    ) -> Bool {
        var isAllOfFiles = true
        // Neighbouring frames are often in one mapping. Without events, its addresses all lie equally far from those of
        // the common address space.
        let hasEvents = !history(of: stack.space.process, at: time).isQuiet
        var run: (mapping: Range<UInt64>, distance: UInt64)?
        for index in stack.userFrames.indices {
            let frame = stack.userFrames[index]
            let address = frame.lookupAddress
            if let run, run.mapping.contains(address) {
                stack.userFrames[index] = frame.moved(to: frame.pc &+ run.distance)
                continue
            }
            let found = mapping(at: address, of: stack.space.process, time: time, unwoundBy: base)
            let generated = generatedAddress(of: frame, found, stack.space.process, at: time, unwoundBy: base)
            switch found {
            case .mapping(let mapping, let isYounger):
                if mapping.image == nil { isAllOfFiles = false }
                let moved = generated ?? code.address(of: frame.pc, in: mapping)
                stack.userFrames[index] = frame.moved(to: moved)
                if !hasEvents, base != nil, mapping.image != nil, moved != 1 {
                    run = (mapping.start..<mapping.end, moved &- frame.pc)
                }
                guard isYounger, let used = base?.mapping(at: address), !used.isSame(as: mapping), used.hasRules else {
                    continue
                }
            case .none:
                isAllOfFiles = false
                stack.userFrames[index] = frame.moved(to: generated ?? 1)
                continue
            case .unknown: stack.userFrames[index] = frame.moved(to: 1)
            }
            stack.userFrames.removeSubrange((index + 1)...)
            stack.end = .mappingChanged
            break
        }
        stack.space.isResolved = true
        return isAllOfFiles
    }

    /// The address that stands for code that a process generated; nil if it isn't such, or isn't named. Memory that was made
    /// executable later isn't known to be mapped, because the kernel doesn't report it.
    private mutating func generatedAddress(
        of frame: Sample.Frame, _ found: ProcessHistory.Found, _ process: Int32, at time: UInt64,
        unwoundBy base: ProcessImages?
    ) -> UInt64? {
        if case .mapping(let mapping, _) = found, mapping.image != nil { return nil }
        let memory: String
        let history = history(of: process, at: time)
        switch found {
        case .mapping(let mapping, _): memory = mapping.memoryName
        case .none:
            // Nothing is known yet of a process that wasn't read.
            if base == nil, history.reading == nil { return nil }
            memory = "[unknown]"
        case .unknown: return nil
        }
        let owner = generatedCode.owner(process, at: time) { history.images(at: time, base: nil).mappings.map(\.name) }
        guard let owner else { return nil }
        let place = GeneratedCode.Place(owner: owner, address: frame.lookupAddress, memory: memory)
        return code.address(of: place, isExact: frame.isExact)
    }

    /// The mapping of an address in a process when a sample was taken.
    ///
    /// - Parameter base: what the sample was unwound by.
    mutating func mapping(
        at address: UInt64, of process: Int32, time: UInt64, unwoundBy base: ProcessImages?
    ) -> ProcessHistory.Found {
        let history = history(of: process, at: time)
        let isUnknown = mayBeUnknown(time) && history.reading == nil
        var found = history.mapping(at: address, time: time, base: isUnknown ? nil : base)
        if isUnknown, case .none = found { found = .unknown }
        guard case .mapping(let mapping, let isYounger) = found else { return found }
        return .mapping(opened(mapping, in: process), isYounger: isYounger)
    }

    /// All that is known of a process's mappings when a sample was taken, with their files opened.
    ///
    /// - Parameter base: what the sample was unwound by.
    mutating func images(
        of process: Int32, at time: UInt64, unwoundBy base: ProcessImages?
    ) -> ProcessImages {
        var images = history(of: process, at: time).images(at: time, base: base)
        for mapping in images.mappings where mapping.isUnopened {
            images = images.replacing(mapping, by: opened(mapping, in: process))
        }
        return images
    }

    /// Without the history of another process that has, or had, the id at another time.
    private func history(of process: Int32, at time: UInt64) -> ProcessHistory {
        histories[process].flatMap { $0.began <= time ? $0 : nil } ?? ProcessHistory()
    }

    private mutating func opened(
        _ mapping: ProcessImages.Mapping, in process: Int32
    ) -> ProcessImages.Mapping {
        guard mapping.isUnopened else { return mapping }
        let opened = open(mapping, process)
        histories[process]?.note(opened: opened, for: mapping)
        return opened
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
