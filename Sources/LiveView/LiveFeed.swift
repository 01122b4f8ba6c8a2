import Profile
import ProfileFormats
import Synchronization
import Threads

/// Cuts a recording into seconds, names them on a thread of its own, and keeps the last ones.
package final class LiveFeed: IntervalReceiver, @unchecked Sendable {
    private struct State {
        var began: ContinuousClock.Instant?
        /// Whether an interval is being named.
        var isNaming = false
        /// The last ones, the newest last.
        var seconds: [NamedProfile] = []
        /// What was not shown yet.
        var latest: NamedProfile?
        var number: UInt32 = 0
    }

    private let state = Mutex(State())
    /// Used only by the thread that names: one interval at a time.
    private let names: IntervalNames
    private let pool = WorkerPool(limit: 1)
    private let interval: Duration
    private let window: Int

    /// - Parameters:
    ///   - interval: how often there is a new profile.
    ///   - window: how many intervals a profile has.
    package init(_ naming: NamingOptions, every interval: Duration = .seconds(1), window: Int = 10) {
        // There is no place on the screen for problems.
        names = IntervalNames(naming) { _ in }
        (self.interval, self.window) = (interval, window)
    }

    /// The newest profile; nil if there is none since the last call.
    package func takeLatest() -> NamedProfile? {
        state.withLock { state in
            defer { state.latest = nil }
            return state.latest
        }
    }

    /// An interval goes on while the one before is being named.
    package func isIntervalOver(at now: ContinuousClock.Instant) -> Bool {
        state.withLock { state in
            let began = state.began ?? now
            state.began = began
            return now - began >= interval && !state.isNaming
        }
    }

    package func take(_ interval: RecordedInterval, at now: ContinuousClock.Instant, isLast: Bool) {
        if isLast { return }
        let number = state.withLock { state in
            (state.began, state.isNaming) = (now, true)
            state.number &+= 1
            return state.number
        }
        pool.add(number, WorkerPool.Urgency(isAwaited: true, need: 0)) { self.name(interval) }
    }

    private func name(_ interval: RecordedInterval) {
        let profile = names.profile(interval)
        let seconds = state.withLock { state in
            state.seconds.append(profile)
            if state.seconds.count > window { state.seconds.removeFirst() }
            return state.seconds
        }
        var all = seconds[0]
        for second in seconds.dropFirst() { all.add(second) }
        state.withLock {
            $0.latest = all; $0.isNaming = false
        }
    }
}
