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
    /// What was read, by `ProcessImages.number`; and by which number there is more than by another one.
    private var read: [UInt32: ProcessImages] = [:]
    private var successors: [UInt32: UInt32] = [:]

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
        if images.number > 0 { read[images.number] = images }
        var list = entries[process] ?? []
        guard let index = list.indices.last else {
            entries[process] = [Entry(since: 0, images: images)]
            return
        }
        if let known = list[index].images {
            if images.contain(known) {
                if !list[index].isInherited { supersede(known.number, by: images.number) }
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

    /// The same for a sample, which says what it was unwound by. That is right even where events were lost: those of a
    /// child's beginning, or of the end of a process whose id another one has now.
    ///
    /// - Parameter mappings: `Sample.mappings`.
    public mutating func program(of process: Int32, at time: UInt64, unwoundBy mappings: UInt32) -> ProgramID {
        let likely = program(of: process, at: time)
        guard let read = read(mappings) else { return likely }
        func isIt(_ entry: Entry) -> Bool {
            entry.images.map { $0.number == read.number || $0.contain(read) } ?? false
        }
        var list = entries[process] ?? []
        if list.indices.contains(likely.number), isIt(list[likely.number]) { return likely }
        if let known = list.lastIndex(where: isIt) { return ProgramID(process: process, number: known) }
        list.append(Entry(since: time, images: read, isInherited: true))
        entries[process] = list
        return ProgramID(process: process, number: list.count - 1)
    }

    /// Numbers rise: whoever follows them comes to an end.
    private mutating func supersede(_ number: UInt32, by next: UInt32) {
        guard number > 0, number < next else { return }
        read[number] = nil
        successors[number] = next
    }

    /// What was read by a number, or later of the same program.
    private mutating func read(_ number: UInt32) -> ProcessImages? {
        var last = number
        while let next = successors[last] { last = next }
        if last != number { successors[number] = last }
        return read[last]
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
