import Glibc
import LinuxProcess

extension KernelUnwinder {
    /// A change of a process, as events or readings of its mappings showed it.
    public struct Change {
        /// What became of it: the consequence of events (`ProcessEvent.Kind`) for a sampled process. The cases have other
        /// data, images and tables, and mappings that were read or could not be read are no events; so these are two
        /// enumerations.
        public enum Kind {
            /// Its mappings were read; they include all mappings up to ``ProcessImages/time``.
            case read(ProcessImages)
            /// It mapped this, which replaces whatever was there.
            case mapped(ProcessImages.Mapping)
            /// It runs another executable; its earlier mappings are gone.
            case exec
            /// It was created by another process, and has a copy of that one's mappings.
            case forked(parent: Int32)
            /// It ended; no further samples of it come.
            case ended
            /// Its mappings can't be read; its samples are not unwound until they can.
            case failed(KernelError)
            /// Events of any process were lost; the process is 0.
            case lost
            /// Events were lost, and nothing is known any more of any processes but these; the process is 0. The others are
            /// read again when samples need them.
            case forgotten(except: Set<Int32>)
        }

        /// The process id; 0 of ``Kind/lost`` and ``Kind/forgotten(except:)``.
        public var process: Int32
        /// What became of it.
        public var kind: Kind
        /// CLOCK_MONOTONIC, in nanoseconds.
        public var time: UInt64

        package init(process: Int32, kind: Kind, time: UInt64) {
            (self.process, self.kind, self.time) = (process, kind, time)
        }
    }

    /// Updates the state of processes by events (``processEvents()``), and publishes tables that were made meanwhile.
    /// Reads the mappings of each changed process at most once.
    ///
    /// - Parameters:
    ///   - events: in ascending order of time.
    ///   - sampled: the processes of the samples that were read last. If everyone is sampled and events were lost, only these
    ///     are read again at once.
    /// - Returns: the changes of sampled processes, in ascending order of time.
    public func update(_ events: [ProcessEvent], sampled: () -> Set<Int32> = { [] }) -> [Change] {
        readings.noteUpdate()
        publishMadeTables()
        let isLossy = options.samplesEveryone && events.contains { $0.kind == .lost }
        let processes = TrackedProcesses(unwinder: self, sampled: isLossy ? sampled() : [])
        let plan = UpdatePlan(events, processes, at: MonotonicClock.now, &planMemory)
        let changes = plan.steps.compactMap(carryOut)
        let now = MonotonicClock.now
        return changes + pace.takeDue(at: now).compactMap { read($0.process, at: $0.event) } + endUnnoticed(at: now)
    }

    func carryOut(_ step: UpdatePlan.Step) -> Change? {
        switch step {
        case .read(let process, let time): return read(process, at: time)
        case .supersede(let process):
            stopTracking(process)
            return nil
        case .forget(let kept, let time):
            forget(except: kept)
            return Change(process: 0, kind: .forgotten(except: kept), time: time)
        case .end(let process, let time, let isReused):
            if isReused { stopTracking(process) } else { removeProcess(process) }
            return Change(process: process, kind: .ended, time: time)
        case .tell(let event):
            switch event.kind {
            case .mapped(let mapping): return mapped(mapping, in: event.process, at: event.time)
            case .exec: return Change(process: event.process, kind: .exec, time: event.time)
            case .forked(let parent):
                return Change(process: event.process, kind: .forked(parent: parent), time: event.time)
            case .lost: return Change(process: 0, kind: .lost, time: event.time)
            // Told only if everyone is sampled, of processes that were not read. They are in the map if their parents were.
            case .exited:
                removeProcess(event.process)
                return Change(process: event.process, kind: .ended, time: event.time)
            case .threadExited: return nil
            }
        }
    }

    /// Ends processes whose end was not noticed. A process may still have its memory when its end is reported, as on
    /// Linux 6.18, so it may have seemed to live on then, or have been read just after. Looks at a few processes a second.
    private func endUnnoticed(at now: UInt64) -> [Change] {
        guard now - min(lastSweep, now) >= Self.sweepPeriod else { return [] }
        lastSweep = now
        if unswept.isEmpty { unswept = Array(trackedProcesses) }
        var changes: [Change] = []
        for process in unswept.suffix(Self.sweepSize) where images(of: process) != nil {
            guard kill(process, 0) != 0, errno == ESRCH else { continue }
            removeProcess(process)
            changes.append(Change(process: process, kind: .ended, time: now))
        }
        unswept.removeLast(min(Self.sweepSize, unswept.count))
        return changes
    }

    /// In nanoseconds.
    private static let sweepPeriod: UInt64 = 1_000_000_000
    private static let sweepSize = 256

    private func read(_ process: Int32, at time: UInt64) -> Change? {
        // Without mappings, after an exec, none of its samples is unwound.
        if pace.mustWait(process, at: MonotonicClock.now, event: time), place(of: process) ?? 0 != 0 { return nil }
        do throws(KernelError) {
            return Change(process: process, kind: .read(try addProcess(process, waitsForTables: false)), time: time)
        } catch {
            if case .process(.noSuchProcess) = error {
                removeProcess(process)
                planMemory.noteEnd(of: process, at: MonotonicClock.now)
                return Change(process: process, kind: .ended, time: time)
            }
            // No callers are better than callers by outdated mappings.
            if isListed(process) { try? expectProcess(process) }
            return Change(process: process, kind: .failed(error), time: time)
        }
    }

    /// A mapping known from an event. The file of a process that was read is already known, or is opened by its name; it may be
    /// gone by now. Those of other processes are opened when a sample needs them (``opened(_:in:)``).
    private func mapped(_ mapping: ExecutableMapping, in process: Int32, at time: UInt64) -> Change {
        let unopened = ProcessImages.Mapping(unopened: mapping)
        let isNeeded = !options.samplesEveryone || images(of: process) != nil
        return Change(process: process, kind: .mapped(isNeeded ? opened(unopened, in: process) : unopened), time: time)
    }

    /// The same mapping with its file opened, if that is still possible, and its table loaded or requested.
    package func opened(_ mapping: ProcessImages.Mapping, in process: Int32) -> ProcessImages.Mapping {
        guard mapping.isUnopened, let source = mapping.source else { return mapping }
        return ProcessImages.Mapping(
            source, of: source.isFile ? images.image(of: source, in: process, waitsForTables: false) : nil)
    }

    /// Whether a process has memory. A zombie has none.
    fileprivate static func isAlive(_ process: Int32) -> Bool {
        guard let map = try? MemoryMap(of: process) else { return false }
        return !map.mappings.isEmpty
    }
}

/// The plan's view of the sampled processes.
private struct TrackedProcesses: UpdatePlan.Processes {
    let unwinder: KernelUnwinder
    let sampled: Set<Int32>

    func isListed(_ process: Int32) -> Bool {
        unwinder.images(of: process) != nil || !areEveryone && unwinder.isListed(process)
    }
    func isAlive(_ process: Int32) -> Bool { KernelUnwinder.isAlive(process) }
    func isExpected(_ process: Int32) -> Bool { unwinder.place(of: process) == 0 }
    var followsChildren: Bool { unwinder.followsChildren }
    var areEveryone: Bool { unwinder.options.samplesEveryone }
    var all: [Int32] {
        let listed = areEveryone ? [] : Set(unwinder.listed().places.keys)
        return Array(listed.union(unwinder.trackedProcesses))
    }
}
