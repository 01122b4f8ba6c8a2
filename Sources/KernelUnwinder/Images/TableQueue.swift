import CLinux
import Glibc
import Synchronization
import TableSupply
import Threads
import UnwindTable

/// Makes tables on other threads, while samples are taken: those first that most samples ended for want of. Those that no
/// sampled process needs are made at idle priority.
final class TableQueue: Sendable {
    /// A table that was made, or the reason why there is none.
    struct Made: Sendable {
        /// The number that the request was added with.
        var number: UInt32
        var table: Result<ProvedTable, any Error>
    }

    private let state: SharedState
    private let pool: WorkerPool
    /// Readable when a table was made; -1 if there is no descriptor for it.
    var descriptor: Int32 { state.descriptor }

    /// Threads of normal priority. Tables that have to be made are made one at a time, on more threads; others are only
    /// read.
    private static let threadLimit = 2

    init(_ supply: any TableSupply) {
        let state = SharedState()
        self.state = state
        pool = WorkerPool(limit: Self.threadLimit) { state.note(problems: supply.finish()) }
    }

    /// Adds a request.
    ///
    /// - Parameters:
    ///   - need: how many samples ended for want of the table.
    ///   - isSampled: whether a process that needs it is being sampled.
    ///   - request: makes the request, on the other thread.
    func add(
        _ number: UInt32, need: UInt32, isSampled: Bool, _ request: @escaping @Sendable () -> any TableRequest
    ) {
        let state = state
        pool.add(number, WorkerPool.Urgency(isAwaited: isSampled, need: need)) {
            state.note(Made(number: number, table: Result { try request().withTable(Self.copy) }))
        }
    }

    /// Changes how much a table is needed, if it isn't made yet.
    func set(_ number: UInt32, need: UInt32, isSampled: Bool) {
        pool.set(WorkerPool.Urgency(isAwaited: isSampled, need: need), of: number)
    }

    /// Drops a request if nobody works on it yet.
    func drop(_ number: UInt32) { pool.drop(number) }

    /// Drops requests that nobody works on yet.
    func close() { pool.dropAll() }

    /// The tables that were made since the last call, and the problems with storing them.
    func take() -> (made: [Made], problems: [String]) { state.take() }

    /// A copy that outlives the request. It is proved again, because only a proof makes a view.
    private static func copy(_ view: TableView) throws -> ProvedTable {
        let memory = TableMemory(view.bytes)
        return ProvedTable(try TableVerifier.verify(UnsafeRawBufferPointer(memory.bytes)), in: memory)
    }
}

/// What the threads hand over. It outlives the queue until they have ended.
private final class SharedState: Sendable {
    private let made = Mutex<(made: [TableQueue.Made], problems: [String])>(([], []))
    let descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))

    deinit { if descriptor >= 0 { Glibc.close(descriptor) } }

    func note(_ table: TableQueue.Made) {
        made.withLock { $0.made.append(table) }
        // Storing takes as long as the disk needs, so the table is handed over first.
        wake()
    }

    func note(problems: [String]) {
        if !problems.isEmpty { made.withLock { $0.problems += problems } }
    }

    func take() -> (made: [TableQueue.Made], problems: [String]) {
        var count: UInt64 = 0
        if descriptor >= 0 { _ = read(descriptor, &count, 8) }
        return made.withLock { state in
            defer { state = ([], []) }
            return state
        }
    }

    private func wake() {
        var one: UInt64 = 1
        if descriptor >= 0 { _ = write(descriptor, &one, 8) }
    }
}

/// The bytes of a table, aligned as the verifier requires.
private final class TableMemory {
    let bytes: UnsafeMutableRawBufferPointer

    init(_ table: UnsafeRawBufferPointer) {
        bytes = .allocate(byteCount: table.count, alignment: 64)
        bytes.copyMemory(from: table)
    }

    deinit { bytes.deallocate() }
}
