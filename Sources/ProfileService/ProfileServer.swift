import CMicrohttpd
import Glibc

/// Serves profiles and counters over HTTP, on threads of its own.
final class ProfileServer: @unchecked Sendable {
    private struct State {
        var daemon: OpaquePointer?
        /// Requests that wait for a profile.
        var waiting: [ObjectIdentifier: Exchange] = [:]
        var isClosing = false
    }

    /// The address with the port that it got.
    let address: ServiceAddress
    private let socket: ListeningSocketOwner
    private let routes: Routes
    private let intervals: IntervalRequests
    private let metrics: ServiceMetrics
    private let state = Monitor(State())
    private let connections: Connections
    private var watcher: ServiceThread?

    /// Requests for profiles at a time.
    static let waitingLimit = 16

    /// Binds the address.
    init(
        at address: ServiceAddress, token: ServiceToken?, _ intervals: IntervalRequests, _ metrics: ServiceMetrics,
        limits: Connections.Limits = Connections.Limits()
    ) throws(ServiceError) {
        if token == nil, !address.isLocal {
            throw .refused("\(address) can be reached from other machines, so a token is needed: --serve-token-file")
        }
        socket = ListeningSocketOwner(try ListeningSocket(address))
        self.address = socket.socket.address
        routes = Routes(token: token)
        (self.intervals, self.metrics) = (intervals, metrics)
        connections = Connections(limits)
    }

    /// Begins to accept connections.
    func start() throws(ServiceError) {
        let connections = connections
        watcher = try ServiceThread { connections.watch() }
        var limits = http_limits(
            connections: UInt32(connections.limits.connections),
            idle_seconds: UInt32(connections.limits.answer.components.seconds),
            connection_memory: connections.limits.memory)
        let descriptor = socket.socket.take()
        let daemon = http_server_start(
            descriptor, &limits,
            { server, connection, url, method, _, _, size, exchange in
                guard let server, let connection, let url, let method, let size, let exchange else { return http_no }
                // Nobody sends anything that is of use here.
                size.pointee = 0
                return ProfileServer.of(server).answer(
                    connection, String(cString: url), String(cString: method), exchange)
            },
            { server, _, exchange, _ in
                guard let server, let context = exchange?.pointee else { return }
                exchange?.pointee = nil
                ProfileServer.of(server).forget(Unmanaged<Exchange>.fromOpaque(context).takeRetainedValue())
            },
            { server, connection, _, change in
                guard let server, let connection else { return }
                let connections = ProfileServer.of(server).connections
                if http_begins(change) != 0 { connections.begin(connection) } else { connections.end(connection) }
            },
            // `close` ends all calls before this goes.
            Unmanaged.passUnretained(self).toOpaque())
        guard let daemon else {
            let code = errno
            Glibc.close(descriptor)
            stopWatching()
            throw .system("cannot serve at \(address)", errno: code)
        }
        state.withLock { $0.daemon = daemon }
    }

    /// Answers those who wait, and ends all connections, at the latest after `limit`.
    func close(atMost limit: Duration = .seconds(2)) {
        let (daemon, waiting) = state.withLock { state in
            state.isClosing = true
            defer { state.daemon = nil }
            return (state.daemon, Array(state.waiting.values))
        }
        guard let daemon else { return }
        for exchange in waiting { finish(exchange, HTTPReply(503, "the recording has ended")) }
        let listening = MHD_quiesce_daemon(daemon)
        connections.waitUntilNone(atMost: limit)
        MHD_stop_daemon(daemon)
        if listening >= 0 { Glibc.close(listening) }
        stopWatching()
    }

    private func stopWatching() {
        connections.close()
        watcher?.join()
        watcher = nil
    }

    private static func of(_ context: UnsafeMutableRawPointer) -> ProfileServer {
        Unmanaged<ProfileServer>.fromOpaque(context).takeUnretainedValue()
    }

    // MARK: Requests

    /// A request, from its headers to the end of its answer.
    private final class Exchange: @unchecked Sendable {
        let connection: OpaquePointer
        /// Guarded by the server's state.
        var reply: HTTPReply?
        var request: IntervalRequests.Request?

        init(_ connection: OpaquePointer) { self.connection = connection }
    }

    /// Called by microhttpd when the headers are there, and again when a waiting connection was resumed.
    private func answer(
        _ connection: OpaquePointer, _ path: String, _ method: String,
        _ context: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    ) -> MHD_Result {
        if let known = context.pointee {
            let exchange = Unmanaged<Exchange>.fromOpaque(known).takeUnretainedValue()
            guard let reply = state.withLock({ _ in exchange.reply }) else { return http_yes }
            return send(reply, to: connection)
        }
        let exchange = Exchange(connection)
        context.pointee = Unmanaged.passRetained(exchange).toOpaque()
        switch routes.route(Self.request(connection, path, method)) {
        case .refused(let reply): return send(reply, to: connection)
        case .metrics: return send(HTTPReply(type: ServiceMetrics.type, Array(metricsText.utf8)), to: connection)
        case .health: return send(health, to: connection)
        case .profile(let duration, let format): return wait(exchange, duration, format)
        }
    }

    private static func request(_ connection: OpaquePointer, _ path: String, _ method: String) -> HTTPRequest {
        func header(_ name: String) -> String? { http_header(connection, name).map { String(cString: $0) } }
        return HTTPRequest(
            method: method, path: path, seconds: http_argument(connection, "seconds").map { String(cString: $0) },
            authorization: header("Authorization"), host: header("Host"),
            hasBody: header("Content-Length") ?? "0" != "0" || header("Transfer-Encoding") != nil)
    }

    private func send(_ reply: HTTPReply, to connection: OpaquePointer) -> MHD_Result {
        connections.answer(connection)
        let response = reply.body.withUnsafeBytes { http_response($0.baseAddress, $0.count) }
        guard let response else { return http_no }
        defer { MHD_destroy_response(response) }
        // A connection has one request: none is kept open by somebody who may not come back.
        let headers = [("Content-Type", reply.type), ("Connection", "close"), ("X-Content-Type-Options", "nosniff")]
        for (name, value) in headers + reply.headers { MHD_add_response_header(response, name, value) }
        metrics.count(status: reply.status)
        return MHD_queue_response(connection, reply.status, response)
    }

    private var metricsText: String {
        metrics.text(connections: connections.count, waiting: state.withLock { $0.waiting.count }, intervals)
    }

    private var health: HTTPReply {
        guard let silence = intervals.sinceLastRound else { return HTTPReply(503, "sampling has not begun") }
        return silence < .seconds(15) ? HTTPReply(200, "ok") : HTTPReply(503, "no samples were read for \(silence)")
    }

    // MARK: Profiles

    private func wait(_ exchange: Exchange, _ duration: Duration, _ format: ServedFormat) -> MHD_Result {
        let isTaken = state.withLock { state in
            guard !state.isClosing, state.waiting.count < Self.waitingLimit else { return false }
            state.waiting[ObjectIdentifier(exchange)] = exchange
            return true
        }
        guard isTaken else {
            return send(
                HTTPReply(503, "too many requests for profiles", headers: [("Retry-After", "10")]),
                to: exchange.connection)
        }
        // From here on, `finish` resumes it.
        MHD_suspend_connection(exchange.connection)
        connections.wait(exchange.connection) { [self] in
            finish(exchange, HTTPReply(503, "the client has gone"))
        }
        let request = intervals.request(duration) { [self] profile in
            finish(exchange, profile.map { Self.reply($0, format) } ?? HTTPReply(503, "the recording has ended"))
        }
        let isOver = state.withLock { _ in
            exchange.request = request
            return exchange.reply != nil
        }
        if isOver { intervals.cancel(request) }
        return http_yes
    }

    private static func reply(_ profile: IntervalProfile, _ format: ServedFormat) -> HTTPReply {
        do { return HTTPReply(type: format.type, try format.bytes(profile)) } catch {
            return HTTPReply(500, "\(error)")
        }
    }

    /// Has a waiting request answered, unless it is already.
    private func finish(_ exchange: Exchange, _ reply: HTTPReply) {
        let isFirst = state.withLock { state in
            guard state.waiting.removeValue(forKey: ObjectIdentifier(exchange)) != nil else { return false }
            exchange.reply = reply
            return true
        }
        guard isFirst else { return }
        if let request = state.withLock({ _ in exchange.request }) { intervals.cancel(request) }
        MHD_resume_connection(exchange.connection)
    }

    /// Its connection may be closed from now on.
    private func forget(_ exchange: Exchange) {
        let request = state.withLock { state in
            state.waiting[ObjectIdentifier(exchange)] = nil
            return exchange.request
        }
        if let request { intervals.cancel(request) }
    }
}

/// A socket in a class.
private final class ListeningSocketOwner {
    var socket: ListeningSocket
    init(_ socket: consuming ListeningSocket) { self.socket = socket }
}
