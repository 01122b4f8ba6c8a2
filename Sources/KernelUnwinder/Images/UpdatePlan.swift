import LinuxProcess

/// Decides how to update processes after events. It depends only on the events and a few queries, so that tests need no
/// kernel.
struct UpdatePlan {
    /// An action. Actions are carried out in the order of the plan.
    enum Step: Equatable {
        /// Reports the event to the caller.
        case tell(ProcessEvent)
        /// Reads the current mappings of a process.
        case read(Int32, at: UInt64)
        /// Forgets the mappings of a process that are superseded, and that are read again when a sample needs them.
        case supersede(Int32)
        /// Reports that events were lost, and forgets the mappings of all processes but these. They are read again when
        /// samples need them.
        case forget(except: Set<Int32>, at: UInt64)
        /// Removes a process. If its id has been reused, the entry is the new process's, and stays.
        case end(Int32, at: UInt64, isReused: Bool)
    }

    /// Queries about processes, answered after the events were read.
    protocol Processes {
        /// Whether the process is in the BPF programs' map, or was until it ended. If everyone is sampled: whether its
        /// mappings were read.
        func isListed(_ process: Int32) -> Bool
        /// Whether it has memory.
        func isAlive(_ process: Int32) -> Bool
        /// Whether its entry is 0: it is listed, and no mappings of it are published.
        func isExpected(_ process: Int32) -> Bool
        /// Whether children of listed processes are sampled, too.
        var followsChildren: Bool { get }
        /// Whether everyone is sampled. Then the events of all processes are told; and new processes and programs are not
        /// read before a sample needs them, which short ones never do.
        var areEveryone: Bool { get }
        /// All listed processes.
        var all: [Int32] { get }
        /// The processes of the samples that were read last. Asked for only if everyone is sampled and events were lost.
        var sampled: Set<Int32> { get }
    }

    var steps: [Step] { slots.compactMap(\.self) }
    private let now: UInt64
    /// Actions in order; nil for those that were dropped.
    private var slots: [Step?] = []
    /// Indices in `slots` of the readings, by process.
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

        mutating func forget(_ process: Int32) {
            withoutFirstThread.remove(process)
            justBegun[process] = nil
        }

        mutating func noteEnd(of process: Int32, at now: UInt64) { justEnded[process] = now + UpdatePlan.retention }

        /// Notes that an unlisted process has got an id.
        fileprivate mutating func noteOther(_ process: Int32) { justEnded[process] = nil }

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
        let begins = Self.takenOut(events, processes, &memory)
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
        let isLossy = events.contains { $0.kind == .lost }
        // Reading thousands of processes takes so long that more events would be lost meanwhile.
        let kept = isLossy && processes.areEveryone ? processes.sampled.intersection(processes.all) : nil
        for (index, event) in events.enumerated() {
            let process = event.process
            guard event.kind != .lost, listed.contains(process), index >= begins[process, default: 0] else {
                if event.kind == .lost, let kept {
                    listed.formIntersection(kept)
                    for process in Array(readings.keys) where !kept.contains(process) { dropReadings(of: process) }
                    add(.forget(except: kept, at: event.time))
                } else if event.kind == .lost || processes.areEveryone {
                    add(.tell(event))
                }
                continue
            }
            // Another process has got the id since.
            let isReused = last.forks[process, default: -1] > index
            switch event.kind {
            case .exec where processes.areEveryone, .forked where processes.areEveryone:
                add(.tell(event))
                dropReadings(of: process)
                add(.supersede(process))
                listed.remove(process)
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
                // The id has been reused, so whether this was the process's last thread can't be checked.
                if event.kind == .threadExited, isReused { continue }
                ended.insert(process)
                end(process, at: event.time, isReused: isReused, &memory)
            case .lost: break
            }
        }
        if isLossy {
            let all = kept.map(Array.init) ?? processes.all
            readAll(all, at: events.last?.time ?? 0, except: ended, isAlive, &memory)
        }
    }

    /// The kernel reports the first mappings of an executable before `follow_exec` supersedes what the process mapped:
    /// mappings that were published in between are published again.
    private mutating func rereadExpected(_ processes: some Processes, _ memory: Memory) {
        for process in memory.justBegun.keys.sorted() where processes.isExpected(process) {
            add(.read(process, at: 0))
        }
    }

    /// New processes that were removed from the BPF programs' map because their id had belonged to another process
    /// before, with the index of the event that they start with. The BPF programs had listed them, because their
    /// parents are listed, or were until they ended. New processes of other parents got ids that mean nothing any more.
    private static func takenOut(
        _ events: [ProcessEvent], _ processes: some Processes, _ memory: inout Memory
    ) -> [Int32: Int] {
        guard !memory.justEnded.isEmpty, processes.followsChildren else { return [:] }
        var begins: [Int32: Int] = [:]
        for (index, event) in events.enumerated() where memory.justEnded[event.process] != nil {
            guard case .forked(let parent) = event.kind, !processes.isListed(event.process) else { continue }
            guard memory.justEnded[parent] != nil || processes.isListed(parent) else {
                memory.noteOther(event.process)
                continue
            }
            if begins[event.process] == nil { begins[event.process] = index }
        }
        return begins
    }

    /// For each process, the index of its last fork event, and of the last event that changes its mappings.
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

    /// If events were lost, any process may have changed or ended.
    private mutating func readAll(
        _ processes: [Int32], at time: UInt64, except ended: Set<Int32>, _ isAlive: (Int32) -> Bool,
        _ memory: inout Memory
    ) {
        for process in processes.sorted() where !ended.contains(process) {
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
        // If the id has been reused, the BPF programs already track the new process.
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
