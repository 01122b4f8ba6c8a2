import Glibc
import Synchronization

/// Does pieces of work on a bounded number of threads of its own, which exist only while there is work: the most urgent
/// ones first. Pieces that nobody waits for are done at idle priority (SCHED_IDLE), which takes only CPU time that nothing
/// else on the machine wants.
public final class WorkerPool: Sendable {
    /// How soon a piece is done.
    public struct Urgency: Comparable, Sendable {
        /// Whether somebody waits for it. Otherwise it is done at idle priority, when no piece is waited for.
        public var isAwaited: Bool
        /// How much it is needed, compared with others.
        public var need: UInt32

        /// The urgency of a piece of work.
        public init(isAwaited: Bool, need: UInt32) { (self.isAwaited, self.need) = (isAwaited, need) }

        public static func < (left: Self, right: Self) -> Bool {
            left.isAwaited != right.isAwaited ? right.isAwaited : left.need < right.need
        }
    }

    private struct Piece {
        var number: UInt32
        var urgency: Urgency
        var work: @Sendable () -> Void
    }

    private struct State {
        /// In the order in which they were added.
        var waiting: [Piece] = []
        /// Threads of normal priority.
        var normalThreads = 0
        var hasIdleThread = false
        /// The thread of idle priority; nil while it starts.
        var idleThread: pthread_t?
        /// Whether what the idle thread does is awaited by now.
        var isIdleRaised = false
        /// The piece that the idle thread does.
        var idlePiece: UInt32?
        var working = 0
    }

    private let state = Mutex(State())
    private let limit: Int
    private let whenDone: @Sendable () -> Void
    private let start: Start
    private let setPolicy: SetPolicy
    typealias SetPolicy = @Sendable (pthread_t, Int32) -> Void
    /// SCHED_IDLE of sched.h
    static let idlePolicy: Int32 = 5

    typealias Start =
        @Sendable (
            UnsafeMutablePointer<pthread_t>, UnsafePointer<pthread_attr_t>?,
            @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?, UnsafeMutableRawPointer?
        ) -> Int32

    /// A pool without work.
    ///
    /// - Parameters:
    ///   - limit: the number of threads of normal priority, at least 1. There is one of idle priority in addition.
    ///   - whenDone: called on one of the threads when all work is done.
    public convenience init(limit: Int, whenDone: @escaping @Sendable () -> Void = {}) {
        self.init(
            limit: limit, whenDone: whenDone, start: { pthread_create($0, $1, $2, $3) },
            setPolicy: { thread, policy in
                var parameters = sched_param()
                // Raising a thread again needs CAP_SYS_NICE; without it, its piece takes as long as it takes.
                pthread_setschedparam(thread, policy, &parameters)
            })
    }

    /// - Parameters:
    ///   - start: pthread_create(3), or a test's replacement.
    ///   - setPolicy: pthread_setschedparam(3), or a test's replacement.
    init(
        limit: Int, whenDone: @escaping @Sendable () -> Void, start: @escaping Start,
        setPolicy: @escaping SetPolicy
    ) {
        (self.limit, self.whenDone, self.start, self.setPolicy) = (max(1, limit), whenDone, start, setPolicy)
    }

    /// Adds a piece of work and returns. If no thread can be created, does it first.
    ///
    /// - Parameter number: identifies it; unique.
    public func add(_ number: UInt32, _ urgency: Urgency, _ work: @escaping @Sendable () -> Void) {
        state.withLock { $0.waiting.append(Piece(number: number, urgency: urgency, work: work)) }
        startThreads()
    }

    /// Changes the urgency of a piece that is not done. One that is being done at idle priority gets normal priority if
    /// somebody waits for it now.
    public func set(_ urgency: Urgency, of number: UInt32) {
        let isChanged = state.withLock { state in
            if let index = state.waiting.firstIndex(where: { $0.number == number }) {
                defer { state.waiting[index].urgency = urgency }
                return state.waiting[index].urgency.isAwaited != urgency.isAwaited
            }
            if urgency.isAwaited, state.idlePiece == number, !state.isIdleRaised, let thread = state.idleThread {
                state.isIdleRaised = true
                // It can't end meanwhile.
                setPolicy(thread, SCHED_OTHER)
            }
            return false
        }
        if isChanged { startThreads() }
    }

    /// Drops a piece if it has not begun.
    public func drop(_ number: UInt32) { state.withLock { $0.waiting.removeAll { $0.number == number } } }

    /// Drops all pieces that have not begun.
    public func dropAll() { state.withLock { $0.waiting = [] } }

    // MARK: Threads

    private func startThreads() {
        while let isIdle = threadToStart() {
            if startThread(isIdle: isIdle) { continue }
            doAll(isIdle: isIdle, on: nil)
        }
    }

    /// Whether a thread of idle or of normal priority must be started; nil if there are enough. It counts as started.
    private func threadToStart() -> Bool? {
        state.withLock { state in
            let awaited = state.waiting.count { $0.urgency.isAwaited }
            if awaited > 0, state.normalThreads < limit {
                // Threads that exist take pieces, too, but may be busy for long.
                state.normalThreads += 1
                return false
            }
            if awaited < state.waiting.count, !state.hasIdleThread {
                state.hasIdleThread = true
                return true
            }
            return nil
        }
    }

    private func startThread(isIdle: Bool) -> Bool {
        // The thread owns the pool as long as it runs.
        let context = Unmanaged.passRetained(Context(pool: self, isIdle: isIdle))
        var thread = pthread_t()
        var code: Int32 = 0
        Threads.withSignalsBlocked {
            code = start(
                &thread, nil,
                { context in
                    if let context { Unmanaged<Context>.fromOpaque(context).takeRetainedValue().run() }
                    return nil
                }, context.toOpaque())
        }
        guard code == 0 else {
            context.release()
            return false
        }
        pthread_detach(thread)
        return true
    }

    private final class Context: Sendable {
        let pool: WorkerPool
        let isIdle: Bool

        init(pool: WorkerPool, isIdle: Bool) { (self.pool, self.isIdle) = (pool, isIdle) }

        func run() { pool.doAll(isIdle: isIdle, on: pthread_self()) }
    }

    /// - Parameter thread: the thread that does it; nil for the caller's, whose priority stays.
    private func doAll(isIdle: Bool, on thread: pthread_t?) {
        if isIdle, let thread {
            state.withLock { $0.idleThread = thread }
            setPolicy(thread, Self.idlePolicy)
        }
        while let work = next(isIdle: isIdle, on: thread) {
            work()
            if endsAll(isIdle: isIdle) { whenDone() }
        }
    }

    /// The next piece; nil if there is none for this thread, which then doesn't count any more.
    private func next(isIdle: Bool, on thread: pthread_t?) -> (@Sendable () -> Void)? {
        let (piece, mustLower) = state.withLock { state -> (Piece?, Bool) in
            let index = Self.best(of: state.waiting) { $0.isAwaited != isIdle }
            guard let index else {
                if isIdle {
                    (state.hasIdleThread, state.idleThread) = (false, nil)
                } else {
                    state.normalThreads -= 1
                }
                return (nil, false)
            }
            let piece = state.waiting.remove(at: index)
            state.working += 1
            defer { if isIdle { (state.idlePiece, state.isIdleRaised) = (piece.number, false) } }
            return (piece, isIdle && state.isIdleRaised)
        }
        if mustLower, let thread { setPolicy(thread, Self.idlePolicy) }
        return piece?.work
    }

    /// Of equally urgent ones, the first that was added.
    private static func best(of pieces: [Piece], where isSuitable: (Urgency) -> Bool) -> Int? {
        var best: Int?
        for index in pieces.indices where isSuitable(pieces[index].urgency) {
            if best.map({ pieces[$0].urgency < pieces[index].urgency }) ?? true { best = index }
        }
        return best
    }

    /// Whether this piece was the last one.
    private func endsAll(isIdle: Bool) -> Bool {
        state.withLock { state in
            if isIdle { state.idlePiece = nil }
            state.working -= 1
            return state.working == 0 && state.waiting.isEmpty
        }
    }
}
