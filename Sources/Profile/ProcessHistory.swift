import KernelUnwinder

/// What a process maps, and what it mapped a moment ago: samples are read after it has changed.
struct ProcessHistory {
    enum Event {
        case mapped(ProcessImages.Mapping)
        case exec
        /// What was mapped in this range isn't known: events were lost.
        case unknown(ClosedRange<UInt64>)
    }

    /// When it was noted: ``Programs/round``.
    private struct NotedEvent {
        var event: Event
        var time: UInt64
        var round: Int
    }

    /// What was read last.
    private(set) var reading: ProcessImages?
    /// Those that samples which are still to be read may be younger than, by rising time.
    private var events: [NotedEvent] = []
    /// CLOCK_MONOTONIC, in nanoseconds; 0 of what was there before.
    private(set) var began: UInt64 = 0
    /// The round that it ended in.
    var ended: Int?

    init() {}

    init(forkedFrom parent: Self?, at time: UInt64) {
        if let parent { self = parent }
        (began, ended) = (time, nil)
    }

    mutating func note(_ event: Event, at time: UInt64, round: Int) {
        let index = (events.lastIndex { $0.time <= time } ?? -1) + 1
        events.insert(NotedEvent(event: event, time: time, round: round), at: index)
    }

    mutating func note(_ reading: ProcessImages) { self.reading = reading }

    /// After events were lost since a time: where something else is mapped now, nobody knows since when.
    mutating func noteLoss(_ now: ProcessImages, since time: UInt64, round: Int) {
        guard let reading else { return }
        for mapping in now.mappings where reading.mapping(at: mapping.start).map({ !$0.isSame(as: mapping) }) ?? true {
            note(.unknown(mapping.start...mapping.end &- 1), at: time, round: round)
        }
    }

    /// Forgets events that were noted before a round: everything that was sampled until then has been judged.
    mutating func forget(before round: Int) { events.removeAll { $0.round < round } }

    var isQuiet: Bool { events.isEmpty }

    /// What was mapped at an address at a time.
    ///
    /// - Parameter base: what the programs took for it, if that is known.
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
                // The kernel's programs forget what was mapped before the new program's first instruction: what they
                // knew is what is left of the old one.
                if let base { return .of(base.mapping(at: address)) }
                // What has been read since, if no other program ran meanwhile, has what no event tells of: the vDSO.
                let isOfThis = !hasExec(after: time) && reading.map { $0.time >= noted.time } ?? false
                return isOfThis ? .of(reading?.mapping(at: address)) : .none
            }
        }
        if let base { return .of(base.mapping(at: address)) }
        return hasExec(after: time) ? .none : .of(reading?.mapping(at: address))
    }

    private func hasExec(after time: UInt64) -> Bool {
        events.contains { noted in
            if noted.time > time, case .exec = noted.event { true } else { false }
        }
    }

    enum Found {
        /// - isYounger: whether it was mapped after the programs were told what is mapped.
        case mapping(ProcessImages.Mapping, isYounger: Bool)
        case none
        /// It may be one of several.
        case unknown

        static func of(_ mapping: ProcessImages.Mapping?) -> Self {
            mapping.map { .mapping($0, isYounger: false) } ?? .none
        }
    }
}
