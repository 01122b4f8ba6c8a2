import KernelUnwinder

/// The mappings of a process, including earlier ones, because samples are read after mappings have changed.
struct ProcessHistory {
    enum Event {
        case mapped(ProcessImages.Mapping)
        case exec
        /// The mappings in this range aren't known, because events were lost.
        case unknown(ClosedRange<UInt64>)
    }

    /// `round` is ``ProcessHistories/round`` when the event was noted.
    private struct NotedEvent {
        var event: Event
        var time: UInt64
        var round: Int
    }

    /// The mappings when they were last read, or at the last event, if they are known by events.
    private(set) var reading: ProcessImages?
    /// Whether the mappings are known by events, and not by a reading since.
    private(set) var isByEvents = false
    /// Events that unread samples may be younger than, in ascending order of time.
    private var events: [NotedEvent] = []
    /// CLOCK_MONOTONIC, in nanoseconds; 0 for processes that existed before.
    private(set) var began: UInt64 = 0
    /// The round in which it ended; nil while it runs.
    var ended: Int?

    init() {}

    init(forkedFrom parent: Self?, at time: UInt64) {
        if let parent { self = parent }
        (began, ended, isByEvents) = (time, nil, true)
    }

    mutating func note(_ event: Event, at time: UInt64, round: Int) {
        let index = (events.lastIndex { $0.time <= time } ?? -1) + 1
        events.insert(NotedEvent(event: event, time: time, round: round), at: index)
    }

    mutating func note(_ reading: ProcessImages) { (self.reading, isByEvents) = (reading, false) }

    /// Notes that events after a time were lost. Where the mappings differ from the last reading, it isn't known since
    /// when.
    mutating func noteLoss(_ now: ProcessImages, since time: UInt64, round: Int) {
        guard let reading else { return }
        for mapping in now.mappings where reading.mapping(at: mapping.start).map({ !$0.isSame(as: mapping) }) ?? true {
            note(.unknown(mapping.start...mapping.end &- 1), at: time, round: round)
        }
    }

    /// Forgets events noted before a round. All samples taken until then have been resolved. What was mapped since the
    /// last reading is known from these events alone, and kept.
    mutating func forget(before round: Int) {
        let first = events.firstIndex { $0.round >= round } ?? events.count
        for noted in events[..<first] where reading.map({ noted.time > $0.time }) ?? true { keep(noted) }
        events.removeAll { $0.round < round }
    }

    private mutating func keep(_ noted: NotedEvent) {
        switch noted.event {
        case .exec: (reading, isByEvents) = (ProcessImages([], time: noted.time), true)
        case .mapped(let mapping):
            // Without a reading or an exec, its other mappings aren't known.
            guard let reading else { return }
            if reading.mappings.count >= Self.mappingLimit { return self.reading = nil }
            (self.reading, isByEvents) = (reading.replacing(with: mapping, at: noted.time), true)
        case .unknown: break
        }
    }

    /// More than programs map. The kernel doesn't report what a process unmaps, so mappings known by events may grow; if
    /// there are more, the process is read when it is sampled.
    private static let mappingLimit = 4096

    /// Notes that the file of a mapping was opened.
    mutating func note(opened: ProcessImages.Mapping, for unopened: ProcessImages.Mapping) {
        reading = reading?.replacing(unopened, by: opened)
        for index in events.indices {
            guard case .mapped(let mapping) = events[index].event, mapping.isUnopened,
                mapping.isSame(as: unopened), mapping.start == unopened.start
            else { continue }
            events[index].event = .mapped(opened)
        }
    }

    var isQuiet: Bool { events.isEmpty }

    /// The mapping of an address at a time.
    ///
    /// - Parameter base: the mappings that the BPF programs used, if they are known.
    func mapping(at address: UInt64, time: UInt64, base: ProcessImages?) -> Found {
        for noted in events.reversed() where noted.time <= time {
            if let base, noted.time <= base.time { break }
            switch noted.event {
            case .mapped(let mapping):
                guard address >= mapping.start, address < mapping.end else { continue }
                return .mapping(mapping, isYounger: true)
            case .unknown(let range):
                if range.contains(address) { return .unknown }
            case .exec:
                // The BPF programs forget a process's mappings before the first instruction of a new executable, so a
                // sample unwound with `base` was taken before the exec.
                if let base { return .of(base.mapping(at: address)) }
                // A reading made since this exec, with no other exec after it, also has mappings that no event reports:
                // the vDSO.
                let isOfThis = !hasExec(after: time) && reading.map { $0.time >= noted.time } ?? false
                return isOfThis ? .of(reading?.mapping(at: address)) : .none
            }
        }
        if let base { return .of(base.mapping(at: address)) }
        return hasExec(after: time) ? .none : .of(reading?.mapping(at: address))
    }

    /// All mappings at a time, as far as they are known: each address has the one that ``mapping(at:time:base:)`` finds.
    func images(at time: UInt64, base: ProcessImages?) -> ProcessImages {
        var oldest = base ?? (hasExec(after: time) ? nil : reading)
        var younger: [ProcessImages.Mapping] = []
        search: for noted in events.reversed() where noted.time <= time {
            if let base, noted.time <= base.time { break }
            switch noted.event {
            case .mapped(let mapping): younger.append(mapping)
            case .unknown: break
            case .exec:
                if base == nil, hasExec(after: time) || reading.map({ $0.time < noted.time }) ?? true { oldest = nil }
                break search
            }
        }
        if younger.isEmpty, let oldest { return oldest }
        return younger.reversed().reduce(oldest ?? ProcessImages([])) { $0.replacing(with: $1, at: time) }
    }

    private func hasExec(after time: UInt64) -> Bool {
        events.contains { noted in
            if noted.time > time, case .exec = noted.event { true } else { false }
        }
    }

    enum Found {
        /// - isYounger: whether it was mapped after the mappings were last published to the BPF programs.
        case mapping(ProcessImages.Mapping, isYounger: Bool)
        case none
        /// The address may have had one of several mappings.
        case unknown

        static func of(_ mapping: ProcessImages.Mapping?) -> Self {
            mapping.map { .mapping($0, isYounger: false) } ?? .none
        }
    }
}
