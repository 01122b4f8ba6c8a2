import CLinux
import Glibc
import Synchronization
import TableSupply
import Threads
import UnwindTable

/// Makes tables one after the other on another thread, while samples are taken.
final class TableQueue: Sendable {
    /// A table that was made, or the reason why there is none.
    struct Made: Sendable {
        /// The number that the request was added with.
        var number: UInt32
        var table: Result<ProvedTable, any Error>
    }

    private struct State {
        var made: [Made] = []
        /// Requests that aren't answered.
        var openCount = 0
        /// Problems that didn't prevent a table, in words.
        var problems: [String] = []
    }

    private let supply: any TableSupply
    private let state = Mutex(State())
    private let worker = SerialWorker()
    /// Readable when a table was made; -1 if there is no descriptor for it.
    let descriptor: Int32

    init(_ supply: any TableSupply) {
        self.supply = supply
        descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    }

    deinit { if descriptor >= 0 { Glibc.close(descriptor) } }

    /// Adds a request.
    func add(_ request: any TableRequest, number: UInt32) {
        state.withLock { $0.openCount += 1 }
        // The worker keeps this object until the work is done.
        worker.add { self.make(request, number) }
    }

    /// Drops requests that nobody works on yet.
    func close() { worker.dropWaiting() }

    /// The tables that were made since the last call, and the problems with storing them.
    func take() -> (made: [Made], problems: [String]) {
        var count: UInt64 = 0
        if descriptor >= 0 { _ = read(descriptor, &count, 8) }
        return state.withLock { state in
            defer { (state.made, state.problems) = ([], []) }
            return (state.made, state.problems)
        }
    }

    private func make(_ request: any TableRequest, _ number: UInt32) {
        let table = Result { try request.withTable(Self.copy) }
        let isLast = state.withLock { state in
            state.made.append(Made(number: number, table: table))
            state.openCount -= 1
            return state.openCount == 0
        }
        // Storing takes as long as the disk needs, so the table is handed over first.
        wake()
        guard isLast else { return }
        let problems = supply.finish()
        if !problems.isEmpty { state.withLock { $0.problems += problems } }
    }

    private func wake() {
        var one: UInt64 = 1
        if descriptor >= 0 { _ = write(descriptor, &one, 8) }
    }

    /// A copy that outlives the request. It is proved again, because only a proof makes a view.
    private static func copy(_ view: TableView) throws -> ProvedTable {
        let memory = TableMemory(view.bytes)
        return ProvedTable(try TableVerifier.verify(UnsafeRawBufferPointer(memory.bytes)), in: memory)
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
