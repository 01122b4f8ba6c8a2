import CCurl
import Foundation
import KernelUnwinder
import ProfileFormats
@testable import ProfileService
import Symbols
import TestFixtures
import Testing

/// What is pushed, as a server of OpenTelemetry's own classes reads it.
@Suite(
    .enabled(if: PythonPackages.areInstalled, "\(PythonPackages.need)"),
    .enabled(if: http_client_load() == nil, "libcurl4 is not installed"), .timeLimit(.minutes(30)))
struct PusherTests {
    /// The server, in a process of its own.
    private final class Server {
        private let process = Process()
        private let output = Pipe()
        private var rest = Data()
        private(set) var url = ""

        /// - Parameter answers: the first ones, as the script takes them.
        init(_ answers: [String] = []) throws {
            let script = #filePath.replacing("PusherTests.swift", with: "otlp_server.py")
            process.executableURL = URL(fileURLWithPath: PythonPackages.python)
            process.arguments = [script] + answers
            process.standardOutput = output
            try process.run()
            ProcessGroupKeeper.shared.keep(process.processIdentifier)
            url = "http://127.0.0.1:\(try #require(line()))"
        }

        deinit {
            // It may have inherited a mask that blocks SIGTERM.
            kill(process.processIdentifier, SIGKILL)
            ProcessGroupKeeper.shared.release(process.processIdentifier)
            process.waitUntilExit()
        }

        /// The next line; nil at its end.
        private func line() -> String? {
            while true {
                if let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    defer { rest = Data(rest[(end + 1)...]) }
                    return String(decoding: rest[..<end], as: UTF8.self)
                }
                let more = output.fileHandleForReading.availableData
                if more.isEmpty { return nil }
                rest += more
            }
        }

        /// The next request that it took.
        func request() throws -> Request {
            let line = try #require(self.line())
            do { return try JSONDecoder().decode(Request.self, from: Data(line.utf8)) } catch {
                throw TestFailure("\(error): \(line)")
            }
        }
    }

    private struct Request: Decodable {
        enum Value: Decodable, Equatable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
            case text(String)
            case number(Int)

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let number = try? container.decode(Int.self) {
                    self = .number(number)
                } else {
                    self = .text(try container.decode(String.self))
                }
            }

            init(stringLiteral text: String) { self = .text(text) }
            init(integerLiteral number: Int) { self = .number(number) }
        }

        struct Location: Decodable {
            var address: UInt64
            var lines: [[Value]]
            var attributes: [String: String]
            var file: String
            var limit: UInt64
            var mapping: [String: String]
        }

        struct Sample: Decodable {
            var stack: [Location]
            var attributes: [String: Value]
            var values: [Int]
        }

        struct Profile: Decodable {
            var resource: [String: String]
            var scope: [String: String]
            var type: [String]
            var time: UInt64
            var duration: UInt64
            var samples: [Sample]
        }

        var path: String
        var type: String
        var authorization: String?
        var profile: Profile
    }

    private static let profile: IntervalProfile = {
        var profile = NamedProfile(unit: .samples, event: "cycles", seconds: 2)
        profile.frequency = 100
        func frame(
            _ name: String, _ path: String, id: String = "", symbol: String? = nil, address: UInt64, line: UInt32 = 0,
            _ marks: NamedProfile.Marks
        ) -> UInt32 {
            let module = profile.number(of: .init(path: profile.name(path), buildID: profile.name(id)))
            return profile.number(
                of: .init(
                    function: profile.name(name), symbol: profile.name(symbol ?? name), module: module,
                    address: address,
                    file: profile.name(line == 0 ? "" : "a.cc"), line: line, marks: marks))
        }
        let frames = [
            frame("main", "/bin/b", address: 0x2010, []),
            frame("middle", "/lib/a.so", id: "abcd", address: 0x1010, line: 20, .exact),
            frame(
                "inner<int>", "/lib/a.so", id: "abcd", symbol: "_Z5innerIiE", address: 0x1010, line: 7,
                [.exact, .inlined]),
            frame("schedule", "[kernel]", address: 0xffff_ffff_8100_1004, [.kernel, .exact]),
            // Where the call is from which the first one returns: the same location.
            frame("main", "/bin/b", address: 0x200f, .exact),
        ]
        func add(_ frames: [UInt32], _ samples: Int, _ thread: String, _ cgroup: String, _ outcome: StackOutcome) {
            let node = frames.reduce(UInt32(0)) { profile.node(of: $1, calledFrom: $0) }
            profile.add(
                .init(
                    node: node, process: 7, thread: profile.name(thread), cgroup: profile.name(cgroup),
                    isWaiting: false, end: profile.name("no-rule"), outcome: outcome),
                .init(samples: samples, total: Double(samples)))
        }
        add(Array(frames[..<4]), 4, "worker", "/system.slice", .complete)
        add([frames[0]], 2, "worker", "", .truncated)
        add([frames[4]], 3, "worker", "", .complete)
        add([], 1, "\u{1b}[2Jé", "", .complete)
        return IntervalProfile(profile: profile, began: 1_700_000_000_123_456_789)
    }()

    private func pusher(
        _ url: String, headers: [String] = [], note: @escaping @Sendable (String) -> Void = { _ in }
    ) throws -> Pusher {
        let pusher = Pusher(try PushTarget(url: url, headers: headers, host: "here"), version: "1.2.3", note: note)
        try pusher.start()
        return pusher
    }

    @Test func profileIsReadAsItWasMeant() throws {
        let server = try Server()
        let pusher = try pusher(server.url, headers: ["Authorization: Bearer secret"])
        defer { pusher.close(atMost: .seconds(1)) }
        pusher.push(Self.profile)
        let request = try server.request(), profile = request.profile
        #expect(request.path == "/v1development/profiles" && request.type == "application/x-protobuf")
        #expect(request.authorization == "Bearer secret")
        #expect(profile.resource == ["service.name": "cfic", "host.name": "here", "os.type": "linux"])
        #expect(profile.scope == ["name": "cfic", "version": "1.2.3"])
        #expect(profile.type == ["cpu", "nanoseconds"])
        #expect(profile.time == 1_700_000_000_123_456_789 && profile.duration == 2_000_000_000)
        // 4 samples at 100 Hz are 40 ms.
        #expect(profile.samples.map(\.values) == [[40_000_000], [20_000_000], [30_000_000], [10_000_000]])
        #expect(
            profile.samples.map(\.attributes) == [
                ["thread.name": "worker", "process.pid": 7, "process.linux.cgroup": "/system.slice"],
                ["thread.name": "worker", "process.pid": 7, "cfic.stack": "truncated", "cfic.stack_end": "no-rule"],
                ["thread.name": "worker", "process.pid": 7],
                ["thread.name": "\\x1b[2Jé", "process.pid": 7],
            ])
        let stack = profile.samples[0].stack
        #expect(
            stack.map(\.lines) == [
                [["schedule", "schedule", "", 0]],
                [["inner<int>", "_Z5innerIiE", "a.cc", 7], ["middle", "middle", "a.cc", 20]],
                [["main", "main", "", 0]],
            ])
        #expect(stack.map(\.address) == [0xffff_ffff_8100_1004, 0x1010, 0x200f])
        #expect(stack.map(\.file) == ["[kernel]", "/lib/a.so", "/bin/b"])
        #expect(stack.map(\.limit) == [0xffff_ffff_8100_2000, 0x2000, 0x3000])
        #expect(stack.map(\.mapping) == [[:], ["process.executable.build_id.gnu": "abcd"], [:]])
        #expect(stack.map { $0.attributes["profile.frame.type"] } == ["kernel", "native", "native"])
        #expect(profile.samples[1].stack.map(\.lines) == [stack[2].lines] && profile.samples[3].stack.isEmpty)
        #expect(profile.samples[2].stack.map(\.lines) == [stack[2].lines])
    }

    /// The first attempts fail: no data is lost, and all is counted.
    @Test func serverThatFailsAtFirstGetsTheProfile() throws {
        let server = try Server(["503", "429"])
        let pusher = try pusher(server.url)
        pusher.push(Self.profile)
        #expect(try server.request().profile.samples.count == 4)
        pusher.close(atMost: .seconds(60))
        let target = server.url + "/v1development/profiles"
        #expect(pusher.counters == PushCounters(target: target, delivered: 1, failures: 2))
    }

    @Test func whatTheServerRefusesIsNotRepeated() throws {
        let server = try Server(["400"])
        let pusher = try pusher(server.url)
        pusher.push(Self.profile)
        pusher.push(Self.profile)
        _ = try server.request()
        pusher.close(atMost: .seconds(60))
        #expect(pusher.counters.refused == 1 && pusher.counters.delivered == 1 && pusher.counters.failures == 0)
    }

    /// A partial success: the server took the request, and left the profile out, or has a warning.
    @Test func partialSuccessIsCountedAndToldOnce() throws {
        let server = try Server(["1:too\told", "1:too\told", "0:deprecated", "0:"])
        let notes = Monitor<[String]>([])
        let pusher = try pusher(server.url) { text in notes.withLock { $0.append(text) } }
        for _ in 0..<5 { pusher.push(Self.profile) }
        for _ in 0..<5 { _ = try server.request() }
        pusher.close(atMost: .seconds(60))
        let target = server.url + "/v1development/profiles"
        #expect(pusher.counters == PushCounters(target: target, delivered: 3, rejected: 2, warnings: 1))
        #expect(
            notes.withLock { $0 } == [
                "\(target) rejects a profile: too\told", "\(target) took a profile, with a warning: deprecated",
            ])
    }

    /// Nobody listens there: it must not keep cfic from ending.
    @Test func serverThatIsNotThereIsGivenUpAtTheEnd() throws {
        let pusher = try pusher("http://127.0.0.1:1/ingest")
        pusher.push(Self.profile)
        pusher.close(atMost: .seconds(600))
        #expect(pusher.counters.dropped == 1 && pusher.counters.delivered == 0)
    }
}
