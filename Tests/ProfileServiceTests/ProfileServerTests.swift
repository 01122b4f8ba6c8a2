import Foundation
import Profile
import ProfileFormats
@testable import ProfileService
import TestFixtures
import Testing

/// What is served over HTTP.
@Suite(.timeLimit(.minutes(30))) struct ProfileServerTests {
    /// A server, and a recording that goes on: a second of it lasts a millisecond.
    private final class Served: Sendable {
        let server: ProfileServer
        let intervals: IntervalRequests
        private let isOver = Monitor(false)
        private let threads = Monitor<[ServiceThread]>([])
        let rounds = Monitor(0)
        var address: String { server.address.description }

        init(
            token: ServiceToken? = nil, isRecording: Bool = true, limits: Connections.Limits = Connections.Limits(),
            thread: String = "thread"
        ) throws {
            let fed = FedIntervals()
            intervals = fed.requests
            server = try ProfileServer(
                at: .network(host: "127.0.0.1", port: 0), token: token, intervals, ServiceMetrics(), limits: limits)
            try server.start()
            let (intervals, isOver, rounds) = (intervals, isOver, rounds)
            let naming = try ServiceThread { intervals.nameAll(FedIntervals.named) }
            threads.withLock { $0 = [naming] }
            guard isRecording else { return }
            let recording = try ServiceThread {
                var fed = fed
                while isOver.wait(atMost: .milliseconds(1), until: { $0 ? true : nil }) == nil {
                    fed.second(thread: thread)
                    rounds.withLock { $0 += 1 }
                }
                fed.end()
            }
            threads.withLock { $0.append(recording) }
        }

        func close() {
            isOver.withLock { $0 = true }
            intervals.end()
            for thread in threads.withLock({ $0 }) { thread.join() }
            server.close()
        }

        func get(_ path: String, headers: [String] = ["Host: localhost"]) throws -> TestClient.Answer {
            try TestClient.get(path, at: address, headers: headers)
        }

        /// The value of a line under /metrics.
        func metric(_ name: String) throws -> Int? {
            try get("/metrics").text.split(separator: "\n").first { $0.hasPrefix(name + " ") }
                .flatMap { Int($0.split(separator: " ")[1]) }
        }
    }

    private func serving(_ served: Served, _ body: (Served) throws -> Void) throws {
        defer { served.close() }
        try body(served)
    }

    @Test func profilesAreServed() throws {
        try serving(Served()) { served in
            let profile = try served.get("/profile?seconds=5")
            #expect(profile.status == 200 && profile.headers.contains("application/vnd.google.protobuf+gzip"))
            #expect(profile.body.starts(with: [0x1f, 0x8b]))
            let page = try served.get("/flamegraph?seconds=600")
            #expect(page.status == 200 && page.headers.contains("text/html") && page.text.hasPrefix("<!DOCTYPE html>"))
            #expect(page.text.contains("\"thread\""))
            #expect(try served.get("/healthz").text == "ok\n")
            #expect(try served.metric("cfic_http_answers_total{status=\"200\"}") == 3)
            #expect(try served.metric("cfic_http_connections") == 1)
        }
    }

    @Test(arguments: [
        ("GET /nothing", 404), ("GET /", 404), ("GET /profile?seconds=0", 400), ("GET /profile?seconds=601", 400),
        ("GET /profile?seconds=x", 400), ("GET /profile?seconds=", 400), ("GET /profile?seconds=-1", 400),
        ("GET /flamegraph?seconds=99999999999999999999", 400), ("POST /profile", 405), ("DELETE /metrics", 405),
        ("HEAD /metrics", 200), ("GET /metrics?x=%00%ff", 200),
    ]) func oddRequestsAreAnswered(request: String, status: Int) throws {
        try serving(Served()) { served in
            let client = try TestClient(served.address)
            client.send(request + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
            let answer = try client.answer()
            #expect(answer.status == status)
        }
    }

    @Test func requestsWithABodyAreRefusedUnread() throws {
        try serving(Served()) { served in
            for header in ["Content-Length: 1000000000", "Transfer-Encoding: chunked"] {
                let client = try TestClient(served.address)
                client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\(header)\r\n\r\n")
                let answer = try client.answer()
                #expect(answer.status == 400)
            }
        }
    }

    @Test func tokenIsRequired() throws {
        let token = try ServiceToken("  a-secret-of-16-or-more\n", file: "token")
        try serving(Served(token: token)) { served in
            for path in ["/metrics", "/profile?seconds=1", "/flamegraph", "/nothing"] {
                let answer = try served.get(path)
                #expect(answer.status == 401 && answer.headers.contains("WWW-Authenticate: Bearer"))
            }
            for wrong in [
                "Bearer a-secret-of-16-or-mor", "Bearer a-secret-of-16-or-morf", "Bearer",
                "Basic a-secret-of-16-or-more", "Bearer a-secret-of-16-or-more x",
            ] {
                #expect(try served.get("/metrics", headers: ["Host: x", "Authorization: \(wrong)"]).status == 401)
            }
            let right = ["Host: elsewhere.example", "Authorization: bearer a-secret-of-16-or-more"]
            #expect(try served.get("/metrics", headers: right).status == 200)
            #expect(try served.get("/profile?seconds=1", headers: right).status == 200)
            #expect(try served.get("/healthz").status == 200)
        }
    }

    @Test func otherMachinesNeedAToken() {
        for host in ["0.0.0.0", "::", "10.1.2.3"] {
            let error = #expect(throws: ServiceError.self) {
                try ProfileServer(
                    at: .network(host: host, port: 0), token: nil, IntervalRequests(), ServiceMetrics())
            }
            #expect("\(error.map { "\($0)" } ?? "")".contains("--serve-token-file"))
        }
    }

    /// A web page of anybody can have a browser connect to this machine under a name of its own.
    @Test(arguments: [
        ("localhost", 200), ("localhost:9090", 200), ("127.0.0.1:9090", 200), ("127.1.2.3", 200), ("[::1]:9090", 200),
        ("[::1]", 200), ("evil.example", 403), ("evil.example:9090", 403), ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example", 403), ("[::2]", 403), ("", 403),
    ]) func withoutTokenTheHostIsThisMachine(host: String, status: Int) throws {
        try serving(Served()) { served in
            let answer = try served.get("/metrics", headers: ["Host: \(host)"])
            #expect(answer.status == status)
        }
    }

    // MARK: Slow and hostile clients

    private static let impatient = {
        var limits = Connections.Limits()
        (limits.connections, limits.request, limits.pause) = (4, .milliseconds(20), .milliseconds(5))
        return limits
    }()

    /// More than there is room for. Others are served when their time is over, and recording goes on all the time.
    @Test(arguments: ["", "GET /profile HTTP/1.1\r\nHost: local", "\r\n", "\u{0}\u{1}"])
    func clientsThatSayNothingMoreAreEnded(beginning: String) throws {
        try serving(Served(limits: Self.impatient)) { served in
            let slow = try (0..<20).map { _ in try TestClient(served.address) }
            for client in slow { client.send(beginning) }
            let answer = try served.get("/healthz")
            #expect(answer.status == 200)
            for client in slow { _ = client.readAll() }
            let before = served.rounds.withLock { $0 }
            #expect(served.rounds.wait { $0 > before + 10 ? true : nil } == true)
        }
    }

    /// microhttpd's own limit begins again with each byte.
    @Test func clientThatDripsIsEnded() throws {
        try serving(Served(limits: Self.impatient)) { served in
            let client = try TestClient(served.address)
            client.send("GET /metrics HTTP/1.1\r\nX: ")
            // More would not fit into the memory of a connection, and take five minutes: the deadline is 20 ms.
            var count = 0
            while client.send("x"), count < 30_000 {
                count += 1
                usleep(10_000)
            }
            #expect(count < 30_000)
        }
    }

    /// Those for whom there is no room wait until others end.
    @Test func connectionsAreLimited() throws {
        var limits = Connections.Limits()
        // The sixth client's turn must not come because the first ones took too long.
        (limits.connections, limits.request) = (4, .seconds(3600))
        try serving(Served(limits: limits)) { served in
            var clients = try (0..<20).map { _ in try TestClient(served.address) }
            for client in clients { client.send("GET /metrics HTTP/1.1\r\nHost: ") }
            var counts: [Int] = []
            while !clients.isEmpty {
                let client = clients.removeFirst()
                client.send("localhost\r\n\r\n")
                let answer = try client.answer()
                let line = answer.text.split(separator: "\n").first { $0.hasPrefix("cfic_http_connections ") }
                counts.append(try #require(line.flatMap { Int($0.split(separator: " ")[1]) }))
            }
            #expect(counts.count == 20 && counts.allSatisfy { (1...4).contains($0) }, "\(counts)")
        }
    }

    @Test func hugeHeadersAreRefused() throws {
        try serving(Served()) { served in
            let line = "X: " + String(repeating: "x", count: 1 << 20) + "\r\n"
            for request in [
                "GET /metrics HTTP/1.1\r\n\(line)\r\n", "GET /\(line)", String(repeating: "x", count: 1 << 20),
            ] {
                let client = try TestClient(served.address)
                client.send(request)
                let text = String(decoding: client.readAll(), as: UTF8.self)
                #expect(text.isEmpty || text.hasPrefix("HTTP/1.1 4"))
            }
            let answer = try served.get("/healthz")
            #expect(answer.status == 200)
        }
    }

    /// It would keep a place for up to ten minutes.
    @Test func clientThatGoesGivesItsPlaceBack() throws {
        var limits = Connections.Limits()
        limits.pause = .milliseconds(5)
        try serving(Served(isRecording: false, limits: limits)) { served in
            var clients = try (0..<ProfileServer.waitingLimit).map { _ in try TestClient(served.address) }
            for client in clients { client.send("GET /profile?seconds=600 HTTP/1.1\r\nHost: localhost\r\n\r\n") }
            while try served.metric("cfic_http_profiles_waiting") != ProfileServer.waitingLimit { usleep(1000) }
            let refused = try served.get("/profile?seconds=1")
            #expect(refused.status == 503 && refused.headers.contains("Retry-After"))
            clients[0].closeForWriting()
            clients.removeLast()
            while try served.metric("cfic_http_profiles_waiting") != ProfileServer.waitingLimit - 2 { usleep(1000) }
        }
    }

    /// An answer that isn't read, and is larger than what sockets take. It would keep the only place.
    @Test func clientThatDoesNotReadIsEnded() throws {
        let size = 16 << 20
        // Less than a second: microhttpd has no limit of its own then.
        var limits = Connections.Limits()
        (limits.connections, limits.request, limits.answer) = (1, .seconds(3600), .milliseconds(900))
        limits.pause = .milliseconds(5)
        try serving(Served(limits: limits, thread: String(repeating: "x", count: size))) { served in
            let client = try TestClient(served.address)
            client.send("GET /flamegraph?seconds=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(try served.metric("cfic_http_answers_total{status=\"200\"}") == 1)
            #expect(client.readAll().count < size)
        }
    }

    @Test func whoWaitsAtTheEndIsAnswered() throws {
        let served = try Served(isRecording: false)
        let client = try TestClient(served.address)
        client.send("GET /profile?seconds=600 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while try served.metric("cfic_http_profiles_waiting") != 1 { usleep(1000) }
        served.close()
        #expect(try client.answer().status == 503)
        #expect(throws: TestFailure.self) { try TestClient(served.address) }
    }

    // MARK: Files

    @Test func unixSocketIsOnlyForItsUserAndGoes() throws {
        let fixture = try Fixture()
        let path = fixture.directory + "/socket"
        func server() throws -> ProfileServer {
            try ProfileServer(at: .unix(path: path), token: nil, IntervalRequests(), ServiceMetrics())
        }
        var first: ProfileServer? = try server()
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        #expect(throws: ServiceError.self) { try server() }
        try first?.start()
        #expect(throws: ServiceError.self) { try server() }
        first?.close()
        first = nil
        #expect(stat(path, &status) != 0)
        try "not a socket".write(toFile: path, atomically: false, encoding: .utf8)
        #expect(throws: ServiceError.self) { try server() }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "not a socket")
    }

    @Test(arguments: [
        ("short", 0o600, "16 characters"), ("sixteen-or-more-characters", 0o644, "chmod"),
        ("a token with spaces in it", 0o600, "visible"),
    ]) func poorTokensAreRefused(token: String, mode: Int, problem: String) throws {
        let fixture = try Fixture()
        let path = fixture.directory + "/token"
        try token.write(toFile: path, atomically: false, encoding: .utf8)
        chmod(path, mode_t(mode))
        let error = #expect(throws: ServiceError.self) { try ServiceToken(file: path) }
        #expect("\(error.map { "\($0)" } ?? "")".contains(problem))
    }
}
