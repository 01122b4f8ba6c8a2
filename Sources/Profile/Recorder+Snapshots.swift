import FullUnwinder
import KernelUnwinder

/// Stacks that came with snapshots of registers and memory.
extension Recorder {
    /// Continues the stacks that came with snapshots, by the indices of their records, and shows them to the observer.
    func finishStacks() throws(KernelError) -> [Int: StackFinisher.Finished] {
        if finisher == nil, observer == nil { return [:] }
        try unwinder.readSnapshots { snapshots.add($0) }
        if snapshots.isEmpty { return [:] }
        var found: [Int: StackFinisher.Finished] = [:]
        for (index, record) in records.enumerated() {
            guard case .sample(let taken) = record,
                let snapshot = snapshots.take(thread: taken.thread, time: taken.time)
            else { continue }
            let finished = finish(taken, snapshot)
            if let observer { observer.note(observed(taken, snapshot, finished)) }
            guard let finished else { continue }
            found[index] = finished
            // The kernel's frames may have been all, so that only the end was not known.
            self.finished.stacks += finished.frames.isEmpty ? 0 : 1
            self.finished.frames += finished.frames.count
        }
        let lost = snapshots.endRound()
        if lost > 0 { observer?.noteLost(lost) }
        return found
    }

    private func finish(_ taken: Taken, _ snapshot: StackSnapshot) -> StackFinisher.Finished? {
        let (frames, end) = raw.withSample(taken.stack) { (Array($0.userFrames), $0.end) }
        guard let finisher, unwinder.finishes(end) else { return nil }
        return finisher.finish(frames, snapshot) { address in
            let found = processes.mapping(
                at: address, of: taken.process, time: taken.time, unwoundBy: bases[taken.mappings])
            if case .mapping(let mapping, _) = found { return mapping }
            return nil
        }
    }

    private func observed(
        _ taken: Taken, _ snapshot: StackSnapshot, _ finished: StackFinisher.Finished?
    ) -> ObservedStack {
        let base = bases[taken.mappings]
        let images =
            finished == nil ? base : processes.images(of: taken.process, at: taken.time, unwoundBy: base)
        return raw.withSample(taken.stack) { sample in
            ObservedStack(
                time: taken.time, process: taken.process, thread: taken.thread, command: sample.command,
                frames: finished?.continuing(sample.userFrames) ?? Array(sample.userFrames),
                end: finished?.end ?? sample.end,
                isFinished: finished != nil, snapshot: snapshot, images: images)
        }
    }
}
