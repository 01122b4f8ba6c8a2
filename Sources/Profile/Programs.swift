import KernelUnwinder

/// What processes mapped, for as long as samples of it are there.
public struct Programs {
    private struct Entry {
        /// CLOCK_MONOTONIC, in nanoseconds; 0 of what was there before.
        var since: UInt64
        /// Nil of a program that ended before it could be read.
        var images: ProcessImages?
        /// Whether its images are its parent's.
        var isInherited = false
    }

    /// By rising time.
    private var entries: [Int32: [Entry]] = [:]

    public init() {}

    /// What happened, before anybody reads what the processes map now: a child has its parent's mappings until it runs
    /// another program, and either may have ended by then.
    public mutating func note(_ events: [ProcessEvent]) {
        for event in events {
            switch event.kind {
            case .forked(let parent):
                guard let images = images(of: program(of: parent, at: event.time)) else { continue }
                entries[event.process, default: []].append(
                    Entry(since: event.time, images: images, isInherited: true))
            case .exec: noteExec(of: event.process, at: event.time)
            case .mapped, .exited, .threadExited, .lost: break
            }
        }
    }

    private mutating func noteExec(of process: Int32, at time: UInt64) {
        guard var list = entries[process], let last = list.last else { return }
        // It was read when the next program ran already.
        if !last.isInherited, let images = last.images, images.time >= time { list[list.count - 1].images = nil }
        list.append(Entry(since: time, images: nil))
        entries[process] = list
    }

    /// What was read of a process, because of what happened at a time.
    public mutating func note(_ images: ProcessImages, of process: Int32, began: Bool, at time: UInt64) {
        // It has ended.
        if images.mappings.isEmpty { return }
        var list = entries[process] ?? []
        guard let index = list.indices.last else {
            entries[process] = [Entry(since: 0, images: images)]
            return
        }
        if let known = list[index].images {
            if images.contain(known) {
                list[index].images = images
                list[index].isInherited = false
            } else if list[index].since != time {
                // It began there, or mapped something where something else was.
                list.append(Entry(since: time, images: images))
            }
            // Else it did so after it began: the event that says when is still to come.
        } else {
            list[index].images = images
        }
        entries[process] = list
    }

    /// Images without a table, and why, each once, by name: their frames were found by the frame pointer, if at all.
    public var imagesWithoutTable: [(name: String, problem: String)] {
        var problems: [String: String] = [:]
        for entry in entries.values.joined() {
            for image in entry.images?.images ?? [] { if let problem = image.problem { problems[image.name] = problem } }
        }
        return problems.sorted { $0.key < $1.key }.map { (name: $0.key, problem: $0.value) }
    }

    public mutating func note(_ change: KernelUnwinder.Change) {
        switch change.kind {
        case .mapped(let images): note(images, of: change.process, began: false, at: change.time)
        case .began(let images): note(images, of: change.process, began: true, at: change.time)
        case .ended, .failed: break
        }
    }

    /// The program that ran in a process at a time.
    public func program(of process: Int32, at time: UInt64) -> ProgramID {
        let number = entries[process]?.lastIndex { $0.since <= time } ?? 0
        return ProgramID(process: process, number: number)
    }

    /// What a program mapped, as of when it was last read.
    public func images(of program: ProgramID) -> ProcessImages? {
        guard let list = entries[program.process], list.indices.contains(program.number) else { return nil }
        return list[program.number].images
    }
}

extension ProcessImages {
    /// Whether all files that another one maps are mapped here, at the same places.
    fileprivate func contain(_ other: ProcessImages) -> Bool {
        var index = 0
        for mapping in other.mappings where mapping.isOfFile {
            while index < mappings.count, mappings[index].start < mapping.start { index += 1 }
            guard index < mappings.count, mappings[index].isSame(as: mapping) else { return false }
        }
        return true
    }
}

extension ProcessImages.Mapping {
    /// Code that is made at run time comes and goes, and has no names.
    fileprivate var isOfFile: Bool { image != nil || name.hasPrefix("/") && !name.hasPrefix("/memfd:") }

    fileprivate func isSame(as other: Self) -> Bool {
        start == other.start && end == other.end && bias == other.bias && name == other.name && image === other.image
    }
}
