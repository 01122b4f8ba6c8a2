import CMicrohttpd
import Glibc

/// The open connections, which are ended when they take too long: microhttpd's own limit begins again with each byte.
///
/// A connection has a deadline by which its request must have arrived, and, once it is answered, one by which the answer must
/// have been read. While it waits for a profile it has none, but ends when its client does.
final class Connections: @unchecked Sendable {
    struct Limits: Sendable {
        /// Connections at a time. Others wait until one ends.
        var connections = 256
        /// Bytes for the request line and the headers, and the buffers.
        var memory = 32 << 10
        /// For the request line and the headers.
        var request = Duration.seconds(5)
        /// Until all of the answer is read.
        var answer = Duration.seconds(60)
        /// How often it is checked whether waiting clients are still there.
        var pause = Duration.seconds(1)
    }

    private struct Connection {
        var socket: Int32
        /// Nil while it waits for a profile.
        var deadline: ContinuousClock.Instant?
        /// Called once if it waits for a profile and its client goes.
        var whenGone: (@Sendable () -> Void)?
    }

    private struct State {
        /// By the address of microhttpd's structure.
        var open: [UInt: Connection] = [:]
        var isClosed = false
    }

    private let state = Monitor(State())
    let limits: Limits
    /// Open connections.
    var count: Int { state.withLock { $0.open.count } }

    init(_ limits: Limits) { self.limits = limits }

    func begin(_ connection: OpaquePointer) {
        let socket = http_connection_socket(connection)
        let deadline = ContinuousClock.now + limits.request
        state.withLock { $0.open[UInt(bitPattern: connection)] = Connection(socket: socket, deadline: deadline) }
    }

    /// Its socket is still open, and isn't afterwards.
    func end(_ connection: OpaquePointer) { state.withLock { $0.open[UInt(bitPattern: connection)] = nil } }

    func wait(_ connection: OpaquePointer, whenGone: @escaping @Sendable () -> Void) {
        state.withLock {
            $0.open[UInt(bitPattern: connection)]?.deadline = nil
            $0.open[UInt(bitPattern: connection)]?.whenGone = whenGone
        }
    }

    func answer(_ connection: OpaquePointer) {
        let deadline = ContinuousClock.now + limits.answer
        state.withLock {
            $0.open[UInt(bitPattern: connection)]?.deadline = deadline
            $0.open[UInt(bitPattern: connection)]?.whenGone = nil
        }
    }

    // MARK: The thread that watches

    /// Ends connections until ``close()``.
    func watch() {
        while true {
            // It sleeps while there are none.
            let isClosed = state.wait { state -> Bool? in state.isClosed ? true : state.open.isEmpty ? nil : false }
            if isClosed ?? true { return }
            for gone in endOverdue() { gone() }
            let isOver = state.wait(atMost: limits.pause) { $0.isClosed ? true : nil }
            if isOver != nil { return }
        }
    }

    func close() { state.withLock { $0.isClosed = true } }

    /// Waits until there are none, or until the time is over.
    func waitUntilNone(atMost limit: Duration) { _ = state.wait(atMost: limit) { $0.open.isEmpty ? true : nil } }

    private func endOverdue() -> [@Sendable () -> Void] {
        let now = ContinuousClock.now
        return state.withLock { state in
            var gone: [@Sendable () -> Void] = []
            for (key, connection) in state.open {
                // microhttpd closes it when it sees the end. Its number can't be another connection's: it is closed after `end`.
                if let deadline = connection.deadline {
                    if deadline <= now { shutdown(connection.socket, Int32(SHUT_RDWR)) }
                } else if let whenGone = connection.whenGone, Self.hasEnded(connection.socket) {
                    state.open[key]?.whenGone = nil
                    gone.append(whenGone)
                }
            }
            return gone
        }
    }

    /// Whether the client has closed its side.
    private static func hasEnded(_ socket: Int32) -> Bool {
        var entry = pollfd(fd: socket, events: Int16(POLLRDHUP_), revents: 0)
        return poll(&entry, 1, 0) > 0 && Int32(entry.revents) & (POLLRDHUP_ | POLLHUP | POLLERR) != 0
    }

    /// `POLLRDHUP` of poll.h, which is there only with _GNU_SOURCE.
    private static let POLLRDHUP_: Int32 = 0x2000
}
