import Profile
import ProfileFormats

/// Serves and pushes the profiles of a recording while it goes on.
///
///     let service = try ProfileService(options)
///     profiler.intervals = service.intervals
///     profiler.onCounters = service.note
///     try service.start()
///     defer { service.close() }
///     _ = try profiler.recordEveryone()
///
/// The thread that samples gives out finished intervals and goes on. What clients and servers do happens on other threads.
public final class ProfileService {
    /// What to serve and to push.
    public struct Options: Sendable {
        /// Nil if nothing is served.
        public var address: ServiceAddress?
        /// Nil if clients need none, which is refused for an address that other machines reach.
        public var token: ServiceToken?
        /// Servers that get the profiles.
        public var targets: [PushTarget] = []
        /// The duration of a pushed profile.
        public var every = Duration.seconds(10)
        /// How functions are named.
        public var naming = NamingOptions()
        /// cfic's version.
        public var version = ""
        /// Called with problems, on any thread.
        public var note: @Sendable (String) -> Void = { _ in }

        /// Nothing is served and pushed.
        public init() {}
    }

    /// Takes the recording.
    public let intervals = IntervalRequests()
    private let options: Options
    private let metrics = ServiceMetrics()
    private let server: ProfileServer?
    private let pushers: [Pusher]
    private var naming: ServiceThread?
    /// Where it is served, with the port that was chosen; nil if it isn't.
    public var address: ServiceAddress? { server?.address }

    /// Binds the address, and loads what pushing needs.
    ///
    /// - Throws: ``ServiceError``.
    public init(_ options: Options) throws(ServiceError) {
        self.options = options
        let metrics = metrics
        if let address = options.address {
            server = try ProfileServer(at: address, token: options.token, intervals, metrics)
        } else {
            server = nil
        }
        pushers = options.targets.map { Pusher($0, version: options.version, note: options.note) }
        for pusher in pushers { metrics.add { pusher.counters } }
    }

    /// Begins to serve. ``close()`` has to follow.
    ///
    /// - Throws: ``ServiceError``.
    public func start() throws(ServiceError) {
        for pusher in pushers { try pusher.start() }
        let (intervals, options, pushers) = (intervals, options, pushers)
        if !pushers.isEmpty {
            intervals.request(every: options.every) { profile in
                guard let profile else { return }
                for pusher in pushers { pusher.push(profile) }
            }
        }
        naming = try ServiceThread {
            let names = IntervalNames(options.naming, note: options.note)
            intervals.nameAll(names.profile)
        }
        try server?.start()
    }

    /// Notes the recording's counters, for /metrics.
    public func note(_ counters: RecordingCounters) { metrics.note(counters) }

    /// Answers those who wait, and pushes what is left, if the servers take it at once. Call it when the recording has ended,
    /// also if that failed.
    public func close() {
        intervals.end()
        naming?.join()
        naming = nil
        server?.close()
        for pusher in pushers { pusher.close(atMost: .seconds(5)) }
    }
}
