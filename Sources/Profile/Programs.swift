import KernelUnwinder

/// What processes mapped, for as long as samples of it are there.
public struct Programs {
    private struct Entry {
        /// `ProgramID.number`: entries may come in between.
        var number: Int
        /// CLOCK_MONOTONIC, in nanoseconds; 0 of what was there before.
        var since: UInt64
        /// Nil of a program that ended before it could be read.
        var images: ProcessImages?
        /// Whether its images are its parent's.
        var isInherited = false
    }

    /// By rising time.
    private var entries: [Int32: [Entry]] = [:]
    /// What was read, by `ProcessImages.number`; and by which of these numbers another one's files are the same ones.
    private var read: [UInt32: ProcessImages] = [:]
    private var same: [UInt32: UInt32] = [:]

    public init() {}

    // MARK: Events

    /// What happened, before anybody reads what the processes map now: a child has its parent's mappings until it runs
    /// another program, and either may have ended by then.
    public mutating func note(_ events: [ProcessEvent]) {
        for event in events {
            switch event.kind {
            case .forked(let parent):
                guard let images = images(of: program(of: parent, at: event.time)) else { continue }
                insert(event.process, since: event.time, images, isInherited: true)
            case .exec: noteExec(of: event.process, at: event.time)
            case .mapped, .exited, .threadExited, .lost: break
            }
        }
    }

    private mutating func noteExec(of process: Int32, at time: UInt64) {
        guard let list = entries[process], let last = list.last else { return }
        // It was read when the next program ran already.
        if !last.isInherited, let images = last.images, images.time >= time {
            entries[process]?[list.count - 1].images = nil
        }
        insert(process, since: time, nil)
    }

    @discardableResult
    private mutating func insert(
        _ process: Int32, since time: UInt64, _ images: ProcessImages?, isInherited: Bool = false
    ) -> ProgramID {
        var list = entries[process] ?? []
        let entry = Entry(number: list.count, since: time, images: images, isInherited: isInherited)
        list.insert(entry, at: (list.lastIndex { $0.since <= time } ?? -1) + 1)
        entries[process] = list
        return ProgramID(process: process, number: entry.number)
    }

    // MARK: Mappings

    public mutating func note(_ change: KernelUnwinder.Change) {
        switch change.kind {
        case .mapped(let images): note(images, of: change.process, began: false, at: change.time)
        case .began(let images): note(images, of: change.process, began: true, at: change.time)
        case .ended, .failed: break
        }
    }

    /// What was read of a process, because of what happened at a time.
    public mutating func note(_ images: ProcessImages, of process: Int32, began: Bool, at time: UInt64) {
        // It has ended.
        if images.mappings.isEmpty { return }
        let last = entries[process]?.last
        remember(images, after: last?.images)
        guard let last, let index = entries[process].map({ $0.count - 1 }) else {
            insert(process, since: began ? time : 0, images)
            return
        }
        if let known = last.images {
            if images.contain(known) {
                entries[process]?[index].images = images
                entries[process]?[index].isInherited = false
            } else if last.since != time {
                // It began there, or mapped something where something else was.
                insert(process, since: time, images)
            }
            // Else it did so after it began: the event that says when is still to come.
        } else {
            entries[process]?[index].images = images
        }
    }

    /// Keeps what samples may have been unwound by. Code that is made at run time makes for many readings with the same
    /// files, of which one is kept.
    private mutating func remember(_ images: ProcessImages, after known: ProcessImages?) {
        guard images.number > 0, read[images.number] == nil, same[images.number] == nil else { return }
        if let known, known.number > 0, known.contain(images), images.contain(known) {
            same[images.number] = same[known.number] ?? known.number
        } else {
            read[images.number] = images
        }
    }

    /// Images without a table, and why, each once, by name: their frames were found by the frame pointer, if at all.
    public var imagesWithoutTable: [(name: String, problem: String)] {
        var problems: [String: String] = [:]
        for entry in entries.values.joined() {
            for image in entry.images?.images ?? [] { if let problem = image.problem { problems[image.name] = problem } }
        }
        return problems.sorted { $0.key < $1.key }.map { (name: $0.key, problem: $0.value) }
    }

    // MARK: Samples

    /// The program that ran in a process at a time.
    public func program(of process: Int32, at time: UInt64) -> ProgramID {
        let list = entries[process] ?? []
        let entry = list.last { $0.since <= time } ?? list.first
        return ProgramID(process: process, number: entry?.number ?? 0)
    }

    /// The same for a sample, which says what it was unwound by. That is right even where events were lost: those of a
    /// child's beginning, or of the end of a process whose id another one has now.
    ///
    /// - Parameter mappings: `Sample.mappings`.
    public mutating func program(of process: Int32, at time: UInt64, unwoundBy mappings: UInt32) -> ProgramID {
        let likely = program(of: process, at: time)
        guard let read = read[same[mappings] ?? mappings] else { return likely }
        // Whatever it mapped since.
        func isIt(_ entry: Entry) -> Bool {
            entry.images.map { $0.number == mappings || $0.contain(read) } ?? false
        }
        let list = entries[process] ?? []
        if list.contains(where: { $0.number == likely.number && isIt($0) }) { return likely }
        if let known = list.last(where: isIt) { return ProgramID(process: process, number: known.number) }
        return insert(process, since: time, read, isInherited: true)
    }

    /// What a program mapped, as of when it was last read.
    public func images(of program: ProgramID) -> ProcessImages? {
        entries[program.process]?.first { $0.number == program.number }?.images
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
