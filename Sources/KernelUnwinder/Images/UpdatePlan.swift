import LinuxProcess

/// What is to be done about processes after events: decided from the events and a few questions, so that it can be
/// tried without a kernel.
struct UpdatePlan {
    /// What is done, in this order.
    enum Step: Equatable {
        /// It happened, and is only to be told.
        case tell(ProcessEvent)
        /// Reads what a process maps now: all that it mapped until now.
        case read(Int32, at: UInt64)
        /// Removes a process. If its id is another one's by now, the entry is that one's, and stays.
        case end(Int32, at: UInt64, isReused: Bool)
    }

    /// What is known of processes when the events have been read.
    protocol Processes {
        /// Whether samples are taken of it, or were until it ended.
        func isListed(_ process: Int32) -> Bool
        /// Whether it has memory.
        func isAlive(_ process: Int32) -> Bool
        /// Whether its entry is 0: it is listed, and no mappings of it are published.
        func isExpected(_ process: Int32) -> Bool
        /// Whether samples are taken of processes that a listed one makes.
        var followsChildren: Bool { get }
        /// All that are listed.
        var all: [Int32] { get }
    }

    var steps: [Step] { slots.compactMap(\.self) }
    private let now: UInt64
    /// Nil of what turned out not to be done.
    private var slots: [Step?] = []
    /// Places there of what is to be read, by process.
    private var readings: [Int32: [Int]] = [:]

    /// What an update leaves for the next ones.
    struct Memory: Equatable {
        /// Processes that run another executable, and until when updates check whether their mappings were
        /// superseded again. CLOCK_MONOTONIC, in nanoseconds, as all times here.
        var justBegun: [Int32: UInt64] = [:]
        /// Processes whose first thread has ended, but not all.
        var withoutFirstThread: Set<Int32> = []
        /// Ids of processes that were removed from the BPF programs' map when they had ended, and until when this is
        /// remembered. Another process may have got the id before the removal, and have been removed instead; its fork
        /// event is still to be read.
        private(set) var justEnded: [Int32: UInt64] = [:]

        mutating func noteEnd(of process: Int32, at now: UInt64) { justEnded[process] = now + UpdatePlan.retention }

        /// Entries whose time is over have been used by one more update, however far apart updates are.
        fileprivate mutating func forgetOld(at now: UInt64) {
            justEnded = justEnded.filter { $0.value > now }
            justBegun = justBegun.filter { $0.value > now }
        }

        fileprivate mutating func noteBegin(of process: Int32) {
            withoutFirstThread.remove(process)
            justEnded[process] = nil
        }
    }

    /// How long updates check a process again after an exec, or remember an end, in nanoseconds. An exec that is under
    /// way takes milliseconds, but its thread may be preempted meanwhile. Each check is a look at the map.
    static let retention: UInt64 = 10_000_000_000

    /// - Parameters:
    ///   - events: in ascending order of time.
    ///   - now: when the plan is made.
    init(_ events: [ProcessEvent], _ processes: some Processes, at now: UInt64, _ memory: inout Memory) {
        self.now = now
        rereadExpected(processes, memory)
        defer { memory.forgetOld(at: now) }
        var listed = Set(events.map(\.process)).filter(processes.isListed)
        let begins = Self.takenOut(events, processes, memory)
        listed.formUnion(begins.keys)
        let last = Self.lastEvents(events)
        var alive: [Int32: Bool] = [:]
        func isAlive(_ process: Int32) -> Bool {
            if let known = alive[process] { return known }
            let found = processes.isAlive(process)
            alive[process] = found
            return found
        }
        var ended: Set<Int32> = []
        for (index, event) in events.enumerated() {
            let process = event.process
            if event.kind == .lost { add(.tell(event)) }
            guard event.kind != .lost, listed.contains(process), index >= begins[process, default: 0] else { continue }
            // Another process has the id since.
            let isReused = last.forks[process, default: -1] > index
            switch event.kind {
            case .mapped, .exec, .forked:
                if case .forked = event.kind {
                    ended.remove(process)
                    memory.noteBegin(of: process)
                }
                if event.kind == .exec {
                    memory.justBegun[process] = now + Self.retention
                    memory.withoutFirstThread.remove(process)
                }
                add(.tell(event))
                if last.changes[process] == index, !ended.contains(process), !isReused {
                    add(.read(process, at: event.time))
                }
            case .exited, .threadExited:
                let mayBeLast = event.kind == .exited || memory.withoutFirstThread.contains(process)
                guard mayBeLast, !ended.contains(process) else { continue }
                if !isReused, isAlive(process) {
                    memory.withoutFirstThread.insert(process)
                    continue
                }
                // Of a thread whose process is to go on as another one, nothing is known.
                if event.kind == .threadExited, isReused { continue }
                ended.insert(process)
                end(process, at: event.time, isReused: isReused, &memory)
            case .lost: break
            }
        }
        if events.contains(where: { $0.kind == .lost }) {
            readAll(processes, at: events.last?.time ?? 0, except: ended, isAlive, &memory)
        }
    }

    /// The kernel reports the first mappings of an executable before `follow_exec` supersedes what the process mapped:
    /// mappings that were published in between are published again.
    private mutating func rereadExpected(_ processes: some Processes, _ memory: Memory) {
        for process in memory.justBegun.keys.sorted() where processes.isExpected(process) {
            add(.read(process, at: 0))
        }
    }

    /// Processes that were taken out of the programs' map in the place of one that had their id before, and the events
    /// that they began with. The programs had listed them: those that made them are listed, or were until they ended.
    private static func takenOut(
        _ events: [ProcessEvent], _ processes: some Processes, _ memory: Memory
    ) -> [Int32: Int] {
        guard !memory.justEnded.isEmpty, processes.followsChildren else { return [:] }
        var begins: [Int32: Int] = [:]
        for (index, event) in events.enumerated() where memory.justEnded[event.process] != nil {
            guard case .forked(let parent) = event.kind, !processes.isListed(event.process) else { continue }
            let wasListed = memory.justEnded[parent] != nil || processes.isListed(parent)
            if wasListed, begins[event.process] == nil { begins[event.process] = index }
        }
        return begins
    }

    /// Places in the list of the last fork of each process, and of the last event that changes what it maps.
    private static func lastEvents(_ events: [ProcessEvent]) -> (forks: [Int32: Int], changes: [Int32: Int]) {
        var forks: [Int32: Int] = [:], changes: [Int32: Int] = [:]
        for (index, event) in events.enumerated() {
            switch event.kind {
            case .forked: (forks[event.process], changes[event.process]) = (index, index)
            case .mapped, .exec: changes[event.process] = index
            case .exited, .threadExited, .lost: break
            }
        }
        return (forks, changes)
    }

    /// After events were lost, any process may have changed, or ended.
    private mutating func readAll(
        _ processes: some Processes, at time: UInt64, except ended: Set<Int32>, _ isAlive: (Int32) -> Bool,
        _ memory: inout Memory
    ) {
        for process in processes.all.sorted() where !ended.contains(process) {
            if isAlive(process) {
                dropReadings(of: process)
                add(.read(process, at: time))
            } else {
                end(process, at: time, isReused: false, &memory)
            }
        }
    }

    private mutating func end(_ process: Int32, at time: UInt64, isReused: Bool, _ memory: inout Memory) {
        memory.withoutFirstThread.remove(process)
        memory.justBegun[process] = nil
        // Whose id is in use again, the programs know.
        if !isReused { memory.noteEnd(of: process, at: now) }
        dropReadings(of: process)
        add(.end(process, at: time, isReused: isReused))
    }

    private mutating func add(_ step: Step) {
        if case .read(let process, _) = step { readings[process, default: []].append(slots.count) }
        slots.append(step)
    }

    private mutating func dropReadings(of process: Int32) {
        for place in readings.removeValue(forKey: process) ?? [] { slots[place] = nil }
    }
}
