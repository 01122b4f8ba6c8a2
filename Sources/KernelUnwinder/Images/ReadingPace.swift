/// Bounds the share of time that is spent on reading the mappings of a process that has very many and changes them all
/// the time. All times are CLOCK_MONOTONIC, in nanoseconds.
struct ReadingPace {
    /// When a process may be read next, of those whose reading took long.
    private var next: [Int32: UInt64] = [:]
    /// Processes that wait for that, with the time of the event that they are to be read for.
    private var waiting: [Int32: UInt64] = [:]

    /// A reading that takes longer is a long one: that of a thousand mappings takes a millisecond.
    static let long: UInt64 = 5_000_000
    /// After a long reading, the process isn't read again for this many times as long: 5 % of the time at most.
    static let pause: UInt64 = 20

    /// Notes that a process was read.
    mutating func note(_ process: Int32, from began: UInt64, to ended: UInt64) {
        let length = ended - min(began, ended)
        next[process] = length > Self.long ? ended + Self.pause * length : nil
        waiting[process] = nil
    }

    /// Whether a process must not be read now. If so, ``takeDue(at:)`` returns it later.
    mutating func mustWait(_ process: Int32, at now: UInt64, event: UInt64) -> Bool {
        guard let next = next[process], now < next else { return false }
        waiting[process] = event
        return true
    }

    /// The processes that waited and may be read now, with the times of their events.
    mutating func takeDue(at now: UInt64) -> [(process: Int32, event: UInt64)] {
        if waiting.isEmpty { return [] }
        let due = waiting.filter { next[$0.key].map { $0 <= now } ?? true }
        for process in due.keys { waiting[process] = nil }
        return due.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// Forgets a process that has ended.
    mutating func forget(_ process: Int32) { (next[process], waiting[process]) = (nil, nil) }
}
