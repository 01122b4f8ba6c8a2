import Glibc

extension KernelUnwinder {
    /// What became of a process.
    public struct Change {
        public enum Kind {
            /// It maps something else now.
            case mapped(ProcessImages)
            /// It runs another program, or is a new process; what stood in its stacks before means nothing any more.
            case began(ProcessImages)
            case ended
            /// What it maps can't be read.
            case failed(KernelError)
        }

        public var process: Int32
        public var kind: Kind
        /// CLOCK_MONOTONIC, in nanoseconds.
        public var time: UInt64
    }

    /// Brings what is known of processes up to date with what happened to them (``processEvents()``).
    ///
    /// - Returns: the changes, in the order of time, one for each process at most unless it began anew.
    public func update(_ events: [ProcessEvent]) -> [Change] {
        rereadJustBegun()
        var changes: [Change] = []
        // Reading what a process maps gives all that it mapped until now: once is enough.
        var isRead: Set<Int32> = []
        for event in events.reversed() {
            switch event.kind {
            case .mapped:
                if isListed(event.process), isRead.insert(event.process).inserted {
                    changes.append(read(event.process, at: event.time, began: images(of: event.process) == nil))
                }
            case .exec, .forked:
                guard isListed(event.process) else { continue }
                // The program that came first was read as what came later: it is known from its beginning on.
                if event.kind == .exec { justBegun[event.process] = 10 }
                if isRead.insert(event.process).inserted {
                    changes.append(read(event.process, at: event.time, began: true))
                } else if let index = changes.lastIndex(where: { $0.process == event.process }) {
                    changes[index] = changes[index].beginning(at: event.time)
                }
            case .exited:
                guard isListed(event.process) else { continue }
                if Self.isAlive(event.process) {
                    withoutFirstThread.insert(event.process)
                    continue
                }
                removeProcess(event.process)
                isRead.insert(event.process)
                changes.append(Change(process: event.process, kind: .ended, time: event.time))
            case .threadExited:
                guard withoutFirstThread.contains(event.process), !Self.isAlive(event.process) else { continue }
                removeProcess(event.process)
                isRead.insert(event.process)
                changes.append(Change(process: event.process, kind: .ended, time: event.time))
            case .lost:
                for process in listed().keys where isRead.insert(process).inserted {
                    let isKnown = images(of: process) != nil
                    if Self.isAlive(process) {
                        changes.append(read(process, at: event.time, began: !isKnown))
                    } else {
                        removeProcess(process)
                        changes.append(Change(process: process, kind: .ended, time: event.time))
                    }
                }
            }
        }
        return changes.reversed()
    }

    /// A new program's first mappings are told before the kernel's programs see that it runs, and make them forget what
    /// the process maps: who was quick to say has to say it again.
    private func rereadJustBegun() {
        for (process, turns) in justBegun {
            if place(of: process) == 0 { _ = try? addProcess(process) }
            justBegun[process] = turns > 1 ? turns - 1 : nil
        }
    }

    private func read(_ process: Int32, at time: UInt64, began: Bool) -> Change {
        do throws(KernelError) {
            let images = try addProcess(process)
            return Change(process: process, kind: began ? .began(images) : .mapped(images), time: time)
        } catch {
            if case .noSuchProcess = error {
                removeProcess(process)
                return Change(process: process, kind: .ended, time: time)
            }
            return Change(process: process, kind: .failed(error), time: time)
        }
    }

    /// Whether a process has memory: one that ended and was not waited for has none.
    private static func isAlive(_ process: Int32) -> Bool {
        guard let map = try? MemoryMap(of: process) else { return false }
        return !map.mappings.isEmpty
    }
}

extension KernelUnwinder.Change {
    /// The same, of a process that began earlier than it was read.
    fileprivate func beginning(at time: UInt64) -> Self {
        guard case .mapped(let images) = kind else { return self }
        return Self(process: process, kind: .began(images), time: time)
    }
}
