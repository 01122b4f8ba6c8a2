import Glibc
import LinuxProcess

extension KernelUnwinder {
    /// What became of a process.
    public struct Change {
        /// Unlike `ProcessEvent.Kind`, which the kernel reports of every process and thread: what follows from that for
        /// processes that are sampled, with the images and tables of what they map.
        public enum Kind {
            /// What it maps was read: all that it had mapped by ``ProcessImages/time``.
            case read(ProcessImages)
            /// It mapped this, in place of what was there.
            case mapped(ProcessImages.Mapping)
            /// It runs another program; what it mapped before is gone.
            case exec
            /// Another one made it, and it maps what that one does.
            case forked(parent: Int32)
            case ended
            /// What it maps can't be read: no samples of it are unwound until it can.
            case failed(KernelError)
            /// Events were lost, of any process; the process is 0.
            case lost
        }

        public var process: Int32
        public var kind: Kind
        /// CLOCK_MONOTONIC, in nanoseconds.
        public var time: UInt64

        public init(process: Int32, kind: Kind, time: UInt64) {
            (self.process, self.kind, self.time) = (process, kind, time)
        }
    }

    /// Brings what is known of processes up to date with what happened to them (``processEvents()``).
    ///
    /// - Returns: what happened to processes that samples are taken of, in the order of time; and what they map now,
    ///   read once each.
    public func update(_ events: [ProcessEvent]) -> [Change] {
        readings.noteUpdate()
        let plan = UpdatePlan(events, TrackedProcesses(unwinder: self), at: MonotonicClock.now, &planMemory)
        return plan.steps.compactMap(carryOut)
    }

    func carryOut(_ step: UpdatePlan.Step) -> Change? {
        switch step {
        case .read(let process, let time): return read(process, at: time)
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
            case .exited, .threadExited: return nil
            }
        }
    }

    private func read(_ process: Int32, at time: UInt64) -> Change {
        do throws(KernelError) {
            return Change(process: process, kind: .read(try addProcess(process)), time: time)
        } catch {
            if case .process(.noSuchProcess) = error {
                removeProcess(process)
                planMemory.noteEnd(of: process, at: MonotonicClock.now)
                return Change(process: process, kind: .ended, time: time)
            }
            // Better no callers than those that what was mapped before would give.
            if isListed(process) { try? expectProcess(process) }
            return Change(process: process, kind: .failed(error), time: time)
        }
    }

    /// A mapping that an event told of. Its file is known, or is opened by its name: it may be gone by now.
    private func mapped(_ mapping: ExecutableMapping, in process: Int32, at time: UInt64) -> Change {
        let image = mapping.isFile ? images.image(of: mapping, in: process) : nil
        return Change(process: process, kind: .mapped(ProcessImages.Mapping(mapping, of: image)), time: time)
    }

    /// Whether a process has memory: one that ended and was not waited for has none.
    fileprivate static func isAlive(_ process: Int32) -> Bool {
        guard let map = try? MemoryMap(of: process) else { return false }
        return !map.mappings.isEmpty
    }
}

/// What the plan of an update asks.
private struct TrackedProcesses: UpdatePlan.Processes {
    let unwinder: KernelUnwinder

    func isListed(_ process: Int32) -> Bool { unwinder.isListed(process) || unwinder.images(of: process) != nil }
    func isAlive(_ process: Int32) -> Bool { KernelUnwinder.isAlive(process) }
    func isExpected(_ process: Int32) -> Bool { unwinder.place(of: process) == 0 }
    var followsChildren: Bool { unwinder.followsChildren }
    var all: [Int32] { Array(Set(unwinder.listed().places.keys).union(unwinder.trackedProcesses)) }
}
