/// Processes that were sampled before their mappings were known.
struct Newcomers {
    /// Samples since they were last returned, by process.
    private var counts: [Int32: Int] = [:]

    var count: Int { counts.count }

    mutating func note(_ process: Int32) { counts[process, default: 0] += 1 }

    /// Removes and returns the one with most samples.
    mutating func next() -> Int32? {
        guard let most = counts.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }) else { return nil }
        counts[most.key] = nil
        return most.key
    }
}
