/// Processes that were sampled before their mappings were known.
struct Newcomers {
    /// Samples since they were last returned, by process.
    private var counts: [Int32: Int] = [:]
    /// Those that could not be added, and why is not likely to change soon: there is no room for them, or they can't be
    /// read.
    private var refused: Set<Int32> = []
    /// When `refused` was last emptied; CLOCK_MONOTONIC, in nanoseconds.
    private var forgotten: UInt64 = 0

    /// How long those that were refused are left alone, at most, in nanoseconds. Otherwise they would be read again
    /// with each of their samples.
    static let pause: UInt64 = 10_000_000_000

    var count: Int { counts.count }

    mutating func note(_ process: Int32) {
        if refused.contains(process) { return }
        counts[process, default: 0] += 1
    }

    /// Removes and returns the one with most samples.
    mutating func next() -> Int32? {
        guard let most = counts.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }) else { return nil }
        counts[most.key] = nil
        return most.key
    }

    /// Notes that a process could not be added.
    mutating func refuse(_ process: Int32) { refused.insert(process) }

    /// Notes that a process has ended: another one may get its id.
    mutating func forget(_ process: Int32) { refused.remove(process) }

    /// Forgets who was refused, if it has been long enough.
    mutating func beginRound(at now: UInt64) {
        guard now - min(forgotten, now) >= Self.pause else { return }
        (refused, forgotten) = ([], now)
    }
}
