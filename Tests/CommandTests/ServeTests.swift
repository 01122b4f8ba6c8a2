import Foundation
import class TestFixtures.Fixture
import enum TestFixtures.HostKernel
import enum TestFixtures.Pprof
import class TestFixtures.TestClient
import func TestFixtures.run
import Testing

/// `cfic profile --serve`, and the options of `--push`.
@Suite(.timeLimit(.minutes(30))) struct ServeTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    @Test(arguments: [
        (["--serve", "9090"], "--serve takes an address"), (["--serve", "example.org:80"], "--serve takes an address"),
        (["--serve-token-file", "x"], "goes with --serve"), (["--every", "5s"], "go with --push"),
        (["--push-header-file", "x"], "go with --push"), (["--push", "http://h", "--every", "0s"], "--every takes"),
        (["--push", "http://h", "--every", "11m"], "--every takes"),
        (["--push", "http://h", "--every", "x"], "--every"),
        (["--serve", "127.0.0.1:0", "-o", "x"], "leave out -o"),
        (["--serve", "127.0.0.1:0", "--json"], "leave out -o"),
        (["--push", "http://h", "--push-header-file", "a", "--push-header-file", "b"], "once for all"),
    ]) func wrongUsageIsExplained(arguments: [String], problem: String) throws {
        let outcome = try place.cfic(words: ["profile"] + arguments)
        #expect(outcome.code == 64 && outcome.diagnostics.contains(problem), "\(outcome.diagnostics)")
    }

    @Test(arguments: [
        (["--serve", "0.0.0.0:0"], "--serve-token-file"),
        (["--serve", "192.0.2.1:0", "--serve-token-file", "token"], "cannot serve"),
        (["--serve", "127.0.0.1:0", "--serve-token-file", "missing"], "cannot read missing"),
        (["--serve", "127.0.0.1:0", "--serve-token-file", "open"], "chmod"),
        (["--push", "http://u:p@host/ingest"], "--push-header-file"), (["--push", "http://host/x"], "--push-format"),
        (["--push", "http://host", "--push-header-file", "missing"], "cannot read missing"),
    ]) func whatCannotBeServedIsSaidAtOnce(arguments: [String], problem: String) throws {
        try place.write(Array("a-token-of-32-characters-at-least".utf8), to: "token")
        try place.write(Array("a-token-of-32-characters-at-least".utf8), to: "open")
        let outcome = try place.shell(
            "chmod 600 token; chmod 644 open; cfic profile \(arguments.map { "'\($0)'" }.joined(separator: " "))")
        #expect(outcome.code == 1 && outcome.diagnostics.contains(problem), "\(outcome.diagnostics)")
    }

    private static let busy = "-F 499 -- bash -c 'while :; do :; done'"

    @Test(
        .enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"), .enabled(if: Pprof.canBeBuilt, "\(Pprof.need)"))
    func servedProfileIsReadByPprof() throws {
        let serving = try Serving(place, Self.busy)
        let answer = try serving.get("/profile?seconds=1")
        #expect(answer.status == 200)
        try place.write(answer.body, to: "cpu.pb.gz")
        let page = try serving.get("/flamegraph?seconds=1")
        #expect(page.status == 200 && page.text.contains("bash"))
        #expect(try serving.terminate() == ["code 0"])
        let fixture = try Fixture()
        let pprof = try Pprof.build(in: fixture)
        let text = try TestFixtures.run(
            words: [pprof, "-raw", "\(place.directory)/cpu.pb.gz"], environment: ["HOME": fixture.directory])
        #expect(text.contains("Time: ") && text.contains("Duration: ") && text.contains("bash"))
        #expect(text.contains("cpu/nanoseconds[dflt]"))
    }

    /// Clients that are slow, say nothing, close their side, send huge headers, read nothing or wait, all at once.
    private func hostileClients(_ address: String) throws -> [TestClient] {
        let get = "GET /profile?seconds=600 HTTP/1.1\r\nHost: localhost\r\n"
        let beginnings = [
            "", "GET /pro", get, "\u{0}\u{ff}", get + "X: " + String(repeating: "x", count: 1 << 20),
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", get + "\r\n",
        ]
        return try (beginnings + beginnings).enumerated().map { index, beginning in
            let client = try TestClient(address)
            client.send(beginning)
            if index >= beginnings.count { client.closeForWriting() }
            return client
        }
    }

    @Test(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"))
    func hostileClientsDoNotStopSampling() throws {
        let serving = try Serving(place, Self.busy)
        var clients = try hostileClients(serving.address)
        var counts: [Int] = []
        // The thread that samples gives its counters out every five seconds. The second rise is of samples that were all
        // taken while such clients were there: before the server ends them, others come.
        while counts.count < 3 {
            clients = try hostileClients(serving.address)
            if let count = try serving.counter("cfic_samples_total"), count > counts.last ?? 0 { counts.append(count) }
            usleep(100_000)
        }
        let health = try serving.get("/healthz")
        #expect(health.status == 200)
        #expect(try serving.terminate() == ["code 0"])
        _ = clients
    }

    @Test(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"))
    func whoWaitsAtTheEndGetsWhatWasRecorded() throws {
        let serving = try Serving(place, Self.busy)
        let waiting = try TestClient(serving.address)
        waiting.send("GET /profile?seconds=600 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while try serving.counter("cfic_http_profiles_waiting") != 1 { usleep(50_000) }
        // It has begun when a request that came later is answered.
        _ = try serving.get("/profile?seconds=1")
        #expect(try serving.terminate() == ["code 0"])
        let answer = try waiting.answer()
        #expect(answer.status == 200 && answer.body.starts(with: [0x1f, 0x8b]))
    }
}
