import Profile
import ProfileFormats
import Synchronization

/// Profiles of parts of a recording that goes on, for those who ask.
///
/// The recording is cut into intervals where a request begins or ends, and at least every ten seconds. A request gets the
/// intervals between its beginning and its end. What nobody asked for is dropped, so the memory doesn't depend on how long a
/// recording goes on. Intervals are named on a thread of their own. If that can't keep up, the oldest are dropped, and their
/// samples are counted as lost.
public final class IntervalRequests: IntervalReceiver {
    /// A request, to cancel it.
    public final class Request: @unchecked Sendable {
        fileprivate let duration: Duration
        fileprivate let isRepeated: Bool
        fileprivate let receive: @Sendable (IntervalProfile?) -> Void
        fileprivate let isCancelled = Atomic(false)
        /// Guarded by `state`: nil until it has begun.
        fileprivate var end: ContinuousClock.Instant?
        /// Used only by the thread that names.
        fileprivate var profile: IntervalProfile?
        fileprivate var lostSamples: UInt64 = 0

        fileprivate init(
            _ duration: Duration, isRepeated: Bool, _ receive: @escaping @Sendable (IntervalProfile?) -> Void
        ) { (self.duration, self.isRepeated, self.receive) = (duration, isRepeated, receive) }
    }

    private struct Job {
        /// Nil if it was dropped.
        var interval: RecordedInterval?
        var lostSamples: UInt64
        var requests: [(request: Request, isComplete: Bool)]
    }

    private struct State {
        var requests: [Request] = []
        var jobs: [Job] = []
        /// When the current interval began; nil before the first round.
        var began: ContinuousClock.Instant?
        var lastRound: ContinuousClock.Instant?
        var dropped = 0
        var isOver = false
    }

    private let state = Monitor(State())
    private let longest: Duration
    private let jobLimit: Int

    /// Requests of a recording that has not begun.
    ///
    /// - Parameters:
    ///   - longest: the longest interval.
    ///   - jobLimit: how many intervals may wait for their names.
    public init(longest: Duration = .seconds(10), jobLimit: Int = 8) {
        (self.longest, self.jobLimit) = (longest, jobLimit)
    }

    /// Asks for a profile of this duration, from now on.
    ///
    /// - Parameter receive: called once, on the thread that names; with nil if the recording is over. The profile is shorter if
    ///   the recording ends before.
    @discardableResult
    public func request(
        _ duration: Duration, _ receive: @escaping @Sendable (IntervalProfile?) -> Void
    ) -> Request { add(Request(duration, isRepeated: false, receive)) }

    /// Asks for profiles of this duration, one after the other without gaps.
    ///
    /// - Parameter receive: called with each, on the thread that names, and with nil after the last one.
    @discardableResult
    public func request(
        every duration: Duration, _ receive: @escaping @Sendable (IntervalProfile?) -> Void
    ) -> Request { add(Request(duration, isRepeated: true, receive)) }

    private func add(_ request: Request) -> Request {
        let isOver = state.withLock { state in
            if !state.isOver { state.requests.append(request) }
            return state.isOver
        }
        if isOver { request.receive(nil) }
        return request
    }

    /// Cancels a request. It may receive something nevertheless, if that is under way.
    public func cancel(_ request: Request) {
        request.isCancelled.store(true, ordering: .relaxed)
        state.withLock { $0.requests.removeAll { $0 === request } }
    }

    /// Intervals that were dropped because they were not named in time.
    public var droppedIntervals: Int { state.withLock { $0.dropped } }

    /// How long ago samples were last read; nil if they never were.
    public var sinceLastRound: Duration? { state.withLock { $0.lastRound.map { ContinuousClock.now - $0 } } }

    // MARK: From the recording

    public func isIntervalOver(at now: ContinuousClock.Instant) -> Bool {
        state.withLock { state in
            state.lastRound = now
            let began = state.began ?? now
            state.began = began
            return now - began >= longest || state.requests.contains { $0.end.map { $0 <= now } ?? true }
        }
    }

    public func take(_ interval: RecordedInterval, at now: ContinuousClock.Instant, isLast: Bool) {
        state.withLock { state in
            state.began = now
            let begun = state.requests.filter { $0.end != nil }
            var job = Job(interval: interval, lostSamples: interval.lostSamples, requests: [])
            for request in begun {
                let isComplete = isLast || request.end.map { $0 <= now } ?? false
                job.requests.append((request, isComplete))
                guard isComplete else { continue }
                // Without a gap; but after a delay it doesn't catch up.
                let next = (request.end ?? now) + request.duration
                request.end = next > now ? next : now + request.duration
                if !request.isRepeated { state.requests.removeAll { $0 === request } }
            }
            for request in state.requests where request.end == nil { request.end = now + request.duration }
            if !job.requests.isEmpty { state.jobs.append(job) }
            dropOldest(&state)
            state.isOver = isLast
        }
    }

    /// Notes that there will be no more intervals, if the last one was not taken.
    func end() { state.withLock { $0.isOver = true } }

    /// What remains of a dropped interval takes no memory.
    private func dropOldest(_ state: inout State) {
        while state.jobs.count(where: { $0.interval != nil }) > jobLimit,
            let oldest = state.jobs.firstIndex(where: { $0.interval != nil })
        {
            let samples = state.jobs[oldest].interval?.recording.stacks.totals.samples ?? 0
            state.jobs[oldest].lostSamples += UInt64(samples)
            state.jobs[oldest].interval = nil
            state.dropped += 1
        }
    }

    // MARK: Naming

    /// Names intervals until the recording is over and all is named.
    ///
    /// - Parameter name: names an interval.
    func nameAll(_ name: (RecordedInterval) -> NamedProfile) {
        while let job = state.wait(until: Self.next) {
            guard let job else { break }
            deliver(job, name)
        }
        let left = state.withLock { state in
            defer { state.requests = [] }
            return state.requests
        }
        for request in left where !request.isCancelled.load(ordering: .relaxed) { request.receive(nil) }
    }

    /// The next job; `.some(nil)` if there will be none.
    private static func next(_ state: inout State) -> Job?? {
        if !state.jobs.isEmpty { return .some(state.jobs.removeFirst()) }
        return state.isOver ? .some(nil) : nil
    }

    private func deliver(_ job: Job, _ name: (RecordedInterval) -> NamedProfile) {
        let requests = job.requests.filter { !$0.request.isCancelled.load(ordering: .relaxed) }
        if requests.isEmpty { return }
        var named = job.interval.map { IntervalProfile(profile: name($0), began: $0.began) }
        named?.profile.lostSamples = 0
        for (request, isComplete) in requests {
            request.lostSamples += job.lostSamples
            if let named {
                if request.profile == nil {
                    request.profile = named
                } else {
                    request.profile?.profile.add(named.profile)
                }
            }
            guard isComplete else { continue }
            var profile = request.profile
            // Dropped intervals were all there was of it; the next one has their losses.
            if profile == nil, request.isRepeated { continue }
            profile?.profile.lostSamples = request.lostSamples
            (request.profile, request.lostSamples) = (nil, 0)
            request.receive(profile)
        }
    }
}

/// A profile of a part of a recording.
public struct IntervalProfile: Sendable {
    /// The samples that were taken in it.
    public var profile: NamedProfile
    /// When it began, in nanoseconds since 1970.
    public var began: UInt64

    /// A profile that began at this time.
    public init(profile: NamedProfile, began: UInt64) { (self.profile, self.began) = (profile, began) }
}
