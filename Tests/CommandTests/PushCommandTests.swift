import CCurl
import Foundation
import enum TestFixtures.HostKernel
import enum TestFixtures.PythonPackages
import class TestFixtures.RunningProgram
import class TestFixtures.TestClient
import Testing

/// `cfic profile --push` to a server that can't be reached at first, then fails, and then works.
@Suite(
    .enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"),
    .enabled(if: PythonPackages.areInstalled, "\(PythonPackages.need)"),
    .enabled(if: http_client_load() == nil, "libcurl4 is not installed"), .timeLimit(.minutes(30)))
struct PushCommandTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    /// A profile that the server was sent, and its answer. Times are in seconds.
    private struct Push {
        var status: Int
        var began: Double
        var duration: Double

        init?(_ line: String) {
            let numbers = line.split(separator: " ").compactMap { Int($0) }
            guard numbers.count == 3 else { return nil }
            (status, began, duration) = (numbers[0], Double(numbers[1]) / 1e9, Double(numbers[2]) / 1e9)
        }
    }

    private final class Server {
        private let program: RunningProgram
        let port: String

        init(failures: Int) throws {
            let script = #filePath.replacing("PushCommandTests.swift", with: "push_server.py")
            program = try RunningProgram([PythonPackages.python, script, "\(failures)"])
            port = try program.line()
        }

        func listen() throws { try program.write("listen\n") }

        func next() throws -> Push {
            let line = try program.line()
            guard let push = Push(line) else { throw TestFailure(line) }
            return push
        }

        /// All that came and was not taken.
        func rest() throws -> [Push] {
            _ = try TestClient.get("/end", at: "127.0.0.1:\(port)")
            var pushes: [Push] = []
            while let push = Push(try program.line()) { pushes.append(push) }
            return pushes
        }
    }

    @Test(arguments: ["", "/ingest"]) func nothingIsLostWhileAServerFails(path: String) throws {
        let server = try Server(failures: 2)
        let url = "http://127.0.0.1:\(server.port)\(path)"
        let target = path.isEmpty ? url + "/v1development/profiles" : url
        let serving = try Serving(place, "--push '\(url)' --every 5s -F 499 -- bash -c 'while :; do :; done'")
        #expect(try serving.program.line().hasPrefix("cfic: pushing to \(target) failed, and is repeated: "))
        try server.listen()
        let news = try serving.program.line()
        let match = try #require(news.wholeMatch(of: #/cfic: pushing to (.*) works again, after ([0-9]+) failures/#))
        let failures = try #require(Int(match.2))
        // It could not be reached at least once, and failed twice.
        #expect(match.1 == target && failures >= 3)

        var pushes: [Push] = []
        while pushes.count(where: { $0.status == 200 }) < 3 { pushes.append(try server.next()) }
        func counter(_ name: String, _ labels: String = "") throws -> Int? {
            try serving.counter("cfic_\(name){target=\"\(target)\"\(labels)}")
        }
        var delivered = 0
        while delivered < 3 { delivered = try #require(try counter("pushes_total", ",result=\"delivered\"")) }
        #expect(try counter("push_failures_total") == failures)
        for result in ["refused", "rejected", "dropped"] {
            #expect(try counter("pushes_total", ",result=\"\(result)\"") == 0)
        }

        #expect(try serving.terminate() == ["code 0"])
        pushes += try server.rest()
        #expect(pushes.map(\.status) == [500, 500] + Array(repeating: 200, count: pushes.count - 2))
        // What failed was repeated, and nothing is missing or there twice. Of eight intervals at least the functions would have
        // to be named at a time, or some would be dropped: on a busy machine, of short ones they may be.
        let taken = pushes.dropFirst(2)
        #expect(taken.count >= delivered && pushes.prefix(3).allSatisfy { $0.began == pushes[0].began })
        for (push, next) in zip(taken, taken.dropFirst()) {
            #expect(abs(push.began + push.duration - next.began) < 2, "\(push), then \(next)")
        }
    }
}
