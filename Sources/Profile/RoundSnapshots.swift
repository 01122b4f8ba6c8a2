import KernelUnwinder

/// Snapshots whose samples have not been read yet. A snapshot is in its ring buffer before its sample is in the other one,
/// so the sample is read in the same round as the snapshot, or in the next one.
struct RoundSnapshots {
    /// By thread.
    private var earlier: [Int32: [StackSnapshot]] = [:]
    private var new: [Int32: [StackSnapshot]] = [:]

    var isEmpty: Bool { earlier.isEmpty && new.isEmpty }

    mutating func add(_ snapshot: StackSnapshot) { new[snapshot.thread, default: []].append(snapshot) }

    /// Removes the snapshot of a sample; nil if there is none.
    mutating func take(thread: Int32, time: UInt64) -> StackSnapshot? {
        Self.take(thread, time, from: &earlier) ?? Self.take(thread, time, from: &new)
    }

    private static func take(
        _ thread: Int32, _ time: UInt64, from snapshots: inout [Int32: [StackSnapshot]]
    ) -> StackSnapshot? {
        guard let index = snapshots[thread]?.firstIndex(where: { $0.time == time }) else { return nil }
        let found = snapshots[thread]?.remove(at: index)
        if snapshots[thread]?.isEmpty ?? false { snapshots[thread] = nil }
        return found
    }

    /// Forgets the snapshots of the round before.
    ///
    /// - Returns: how many there were: their samples were lost.
    mutating func endRound() -> Int {
        let lost = earlier.values.reduce(0) { $0 + $1.count }
        (earlier, new) = (new, [:])
        return lost
    }
}
