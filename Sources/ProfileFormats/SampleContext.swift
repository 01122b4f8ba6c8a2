import Profile

/// What is known of a sample from those before it, so that only differences are in a .cfic file.
struct SampleContext {
    /// The samples whose columns are together.
    static let blockSize = 1 << 15
    private static let nanosecondsPerMicrosecond: UInt64 = 1000

    /// The usual difference of two times on a CPU, in microseconds; 0 if that isn't known.
    let period: Int64
    /// By CPU plus 1, or 0 if that isn't known: the time of its last sample, in microseconds.
    private var times: [UInt64] = []
    /// The stack that a sample has unless it is one of an earlier sample: they are numbered as they come.
    private var nextStack = 0
    /// By stack: the thread that had it last; at first the process.
    private var threads: [Int32]

    init(_ profile: NamedProfile) {
        threads = profile.stacks.map { $0.stack.process }
        let frequency = profile.frequency ?? 0
        period = frequency == 0 ? 0 : Int64((1_000_000 + frequency / 2) / frequency)
    }

    private mutating func index(of cpu: UInt32?) -> Int {
        let index = cpu.map { Int($0) + 1 } ?? 0
        while index >= times.count { times.append(0) }
        return index
    }

    /// A time's difference to the last one on the CPU: the nearest number of periods, and microseconds.
    mutating func difference(_ time: UInt64, cpu: UInt32?) -> (periods: Int64, rest: Int64) {
        let index = index(of: cpu), time = time / Self.nanosecondsPerMicrosecond
        // Neither is near 2^63.
        let difference = Int64(time) - Int64(times[index])
        times[index] = time
        if period == 0 { return (0, difference) }
        let periods = (difference + (difference < 0 ? -period / 2 : period / 2)) / period
        return (periods, difference - periods * period)
    }

    /// The time with this difference; nil if it is out of bounds.
    mutating func time(periods: Int64, rest: Int64, cpu: UInt32?) -> UInt64? {
        let index = index(of: cpu)
        let time = times[index] &+ UInt64(bitPattern: periods &* period &+ rest)
        guard time <= .max / Self.nanosecondsPerMicrosecond else { return nil }
        times[index] = time
        return time * Self.nanosecondsPerMicrosecond
    }

    /// 0 for the next stack; how far an earlier one is before that; the number of a later one.
    mutating func distance(ofStack stack: Int) -> Int {
        defer { nextStack = max(nextStack, stack + 1) }
        return stack > nextStack ? stack : nextStack - stack
    }

    /// The stack with this distance; nil if there is none.
    mutating func stack(_ distance: UInt64) -> Int? {
        guard distance < threads.count || distance == nextStack else { return nil }
        let stack = distance > nextStack ? Int(distance) : nextStack - Int(distance)
        guard stack < threads.count else { return nil }
        nextStack = max(nextStack, stack + 1)
        return stack
    }

    mutating func threadDifference(_ thread: Int32, stack: Int) -> Int64 {
        defer { threads[stack] = thread }
        return Int64(thread) - Int64(threads[stack])
    }

    /// The thread with this difference; nil if there is none.
    mutating func thread(_ difference: Int64, stack: Int) -> Int32? {
        let (sum, overflow) = Int64(threads[stack]).addingReportingOverflow(difference)
        guard !overflow, let thread = Int32(exactly: sum) else { return nil }
        threads[stack] = thread
        return thread
    }
}
