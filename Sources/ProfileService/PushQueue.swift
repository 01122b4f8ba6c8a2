import Synchronization

/// What became of the profiles for a target.
struct PushCounters: Equatable {
    /// The target's name.
    var target = ""
    var delivered = 0
    /// The server answered that it will never take them.
    var refused = 0
    /// The server took the request, and answered that it left them out.
    var rejected = 0
    /// There was no room for them while the server couldn't be reached, or no time at the end.
    var dropped = 0
    /// Attempts that failed and are repeated.
    var failures = 0
    /// Answers that have a warning of profiles that were delivered.
    var warnings = 0
    var waitingBytes = 0
}

/// The end of an attempt to push.
enum PushOutcome: Equatable {
    case delivered
    /// Delivered, but the server has something to say.
    case warned(String)
    /// The server took the request, but not the profile.
    case rejected(String)
    /// It makes no sense to try again.
    case refused(String)
    /// May succeed later. `wait` is what the server asked for.
    case failed(String, wait: Duration?)
}

/// Messages for a target that wait to be sent, the oldest first. If there are too many, the oldest is dropped.
final class PushQueue: Sendable {
    private struct State {
        var waiting: [(number: Int, message: PushMessage)] = []
        var next = 0
        var counters = PushCounters()
        var isClosing = false
    }

    private let state = Monitor(State())
    private let byteLimit: Int
    private let target: String

    init(target: String, byteLimit: Int = 32 << 20) { (self.target, self.byteLimit) = (target, byteLimit) }

    var counters: PushCounters {
        var counters = state.withLock { state in
            state.counters.waitingBytes = state.waiting.reduce(0) { $0 + $1.message.body.count }
            return state.counters
        }
        counters.target = target
        return counters
    }

    func add(_ message: PushMessage) {
        state.withLock { state in
            guard !state.isClosing else { return state.counters.dropped += 1 }
            state.waiting.append((state.next, message))
            state.next += 1
            var size = state.waiting.reduce(0) { $0 + $1.message.body.count }
            while size > byteLimit {
                size -= state.waiting.removeFirst().message.body.count
                state.counters.dropped += 1
            }
        }
    }

    /// No more are added. Those that wait get one attempt each.
    func close() { state.withLock { $0.isClosing = true } }

    /// Drops those that wait.
    func dropAll() {
        state.withLock { state in
            state.counters.dropped += state.waiting.count
            state.waiting = []
        }
    }

    /// Sends until the queue is closed and empty.
    ///
    /// - Parameters:
    ///   - send: makes an attempt.
    ///   - pause: how long to wait after so many failures in a row, the last of which is the second argument.
    ///   - note: called after each attempt, with the number of failures in a row.
    func sendAll(
        by send: (PushMessage) -> PushOutcome, pause: (_ failures: Int, _ asked: Duration?) -> Duration,
        note: (PushOutcome, _ failures: Int) -> Void
    ) {
        var failures = 0
        while let (number, message) = next() {
            let outcome = send(message)
            // Once it closes, each has one attempt.
            let isOver = state.withLock { state in
                switch outcome {
                case .delivered: state.counters.delivered += 1
                case .warned:
                    state.counters.delivered += 1
                    state.counters.warnings += 1
                case .rejected: state.counters.rejected += 1
                case .refused: state.counters.refused += 1
                case .failed:
                    state.counters.failures += 1
                    guard state.isClosing else { return false }
                    // It may have been dropped meanwhile, and is counted then.
                    if state.waiting.contains(where: { $0.number == number }) { state.counters.dropped += 1 }
                }
                state.waiting.removeAll { $0.number == number }
                return true
            }
            if case .failed(_, let asked) = outcome {
                failures += 1
                note(outcome, failures)
                if isOver { continue }
                _ = state.wait(atMost: pause(failures, asked)) { $0.isClosing ? true : nil }
            } else {
                note(outcome, failures)
                failures = 0
            }
        }
    }

    /// Waits for a message; nil if there will be none.
    private func next() -> (number: Int, message: PushMessage)? {
        let found = state.wait { state -> (number: Int, message: PushMessage)?? in
            if let first = state.waiting.first { return .some(first) }
            return state.isClosing ? .some(nil) : nil
        }
        return found ?? nil
    }
}

/// How long to wait after failures: twice as long each time, up to five minutes, and not all machines equally long.
enum BackOff {
    static func pause(_ failures: Int, asked: Duration?) -> Duration {
        let longest = Duration.seconds(300)
        if let asked { return min(max(asked, .seconds(1)), longest) }
        let usual = min(.seconds(1 << min(max(failures - 1, 0), 10)), longest)
        return usual * Double.random(in: 0.75...1.25)
    }
}
