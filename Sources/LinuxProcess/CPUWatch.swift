/// Notices CPUs whose events have to be opened anew. When a CPU goes offline, the kernel ends its events without telling,
/// and doesn't continue them when it is back, as after a suspension of the machine.
struct CPUWatch {
    /// The events of these CPUs have ended.
    var ended: Set<Int32> = []
    /// Events of these CPUs can be opened.
    var online: Set<Int32> = []

    /// Nanoseconds between two looks at the list of CPUs.
    static let listInterval: UInt64 = 1_000_000_000
    /// Nanoseconds between two looks at the events themselves, each of which interrupts its CPU. They also show CPUs that
    /// were offline only between two looks at the list.
    static let eventInterval: UInt64 = 10_000_000_000

    private var listed: UInt64
    private var asked: UInt64
    /// How long each CPU's event had been enabled when it was last asked.
    private var enabled: [Int32: UInt64] = [:]

    init(at now: UInt64) { (listed, asked) = (now, now) }

    /// Whether it is time to look.
    func isDue(at now: UInt64) -> Bool { now >= listed + Self.listInterval }

    /// Looks which events have ended.
    ///
    /// - Parameters:
    ///   - opened: the CPUs with events.
    ///   - online: the CPUs that are online now.
    ///   - enabledTime: how long a CPU's event has been enabled, in nanoseconds.
    mutating func look(
        at now: UInt64, _ opened: some Sequence<Int32>, online: [Int32], _ enabledTime: (Int32) -> UInt64
    ) {
        listed = now
        self.online = Set(online)
        ended = Set(opened).subtracting(online)
        guard now >= asked + Self.eventInterval else { return }
        asked = now
        for cpu in opened where !ended.contains(cpu) {
            let time = enabledTime(cpu)
            if enabled[cpu] == time { ended.insert(cpu) }
            enabled[cpu] = time
        }
    }

    /// Notes that a CPU has a new event.
    mutating func noteOpened(_ cpu: Int32) { enabled[cpu] = nil }
}
