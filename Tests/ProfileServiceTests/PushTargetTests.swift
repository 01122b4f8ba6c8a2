import Foundation
import ProfileFormats
@testable import ProfileService
import TestFixtures
import Testing

/// Where profiles are pushed, and what.
@Suite struct PushTargetTests {
    @Test(arguments: [
        ("http://host", PushTarget.Format.otlp, "http://host/v1development/profiles"),
        ("https://host:4318/", .otlp, "https://host:4318/v1development/profiles"),
        ("http://host/some/v1development/profiles", .otlp, "http://host/some/v1development/profiles"),
        ("http://host:4040/ingest", .pyroscope, "http://host:4040/ingest"),
        ("HTTPS://host/tenant/ingest/?x=1", .pyroscope, "https://host/tenant/ingest"),
        ("http://[::1]:7070/profiles/writeraw", .parca, "http://[::1]:7070/profiles/writeraw"),
    ]) func pathTellsTheFormat(url: String, format: PushTarget.Format, name: String) throws {
        let target = try PushTarget(url: url)
        #expect(target.format == format && target.name == name)
    }

    @Test func formatCanBeForced() throws {
        let target = try PushTarget(url: "http://host/elsewhere", format: .parca)
        #expect(target.format == .parca && target.name == "http://host/elsewhere")
    }

    @Test(arguments: [
        ("host:4318", "not a URL"), ("ftp://host/ingest", "not a URL"), ("http://", "not a URL"),
        ("http:///ingest", "not a URL"), ("http://host/ingest#x", "not a URL"), ("http://host/\u{1b}[2J", "not a URL"),
        ("http://host/\"", "not a URL"), ("http://host/other", "--push-format"),
        ("http://user:secret@host/ingest", "--push-header-file"),
    ]) func othersAreRefused(url: String, problem: String) {
        let error = #expect(throws: ServiceError.self) { try PushTarget(url: url) }
        #expect("\(error.map { "\($0)" } ?? "")".contains(problem))
    }

    private func headers(_ text: String, mode: mode_t = 0o600) throws -> [String] {
        let fixture = try Fixture()
        let path = fixture.directory + "/headers"
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        chmod(path, mode)
        return try PushTarget.headers(file: path)
    }

    @Test func headersAreRead() throws {
        #expect(
            try headers("# for the collector\nAuthorization: Bearer x\r\n\n  \nX-Scope-OrgID: 1")
                == ["Authorization: Bearer x", "X-Scope-OrgID: 1"])
        #expect(throws: ServiceError.self) { try headers("X: y", mode: 0o604) }
        for line in ["Authorization", ": x", "Bad Name: x", "X: \u{1}"] {
            let error = #expect(throws: ServiceError.self) { try headers("A: b\n" + line) }
            // The line may be a secret.
            let text = error.map { "\($0)" } ?? ""
            #expect(text.contains("line 2") && !text.contains("Authorization"))
        }
    }

    private var profile: IntervalProfile {
        IntervalProfile(profile: FedIntervals.named(FedIntervals.interval(3)), began: 1_700_000_000_500_000_000)
    }

    @Test func pyroscopeGetsPprofWithTimesInTheURL() throws {
        let target = try PushTarget(url: "http://host/ingest?x=1", headers: ["A: b"], host: "a\"b{c} é")
        let message = try target.message(profile, version: "1")
        #expect(
            message.url == "http://host/ingest?x=1&name=cfic%7Bhost%3D%22abc%20%C3%A9%22%7D&from=1700000000"
                + "&until=1700000001&format=pprof&spyName=cfic")
        #expect(message.headers == ["A: b", "Content-Type: application/octet-stream"])
        #expect(message.body.starts(with: [0x1f, 0x8b]))
    }

    @Test func parcaGetsPprofInJSON() throws {
        let target = try PushTarget(url: "http://host/profiles/writeraw", host: "a\"b")
        let message = try target.message(profile, version: "1")
        #expect(message.headers == ["Content-Type: application/json"])
        let json = try #require(try JSONSerialization.jsonObject(with: Data(message.body)) as? [String: Any])
        #expect(json["normalized"] as? Bool == true)
        let series = try #require((json["series"] as? [[String: Any]])?.first)
        let labels = (series["labels"] as? [String: [[String: String]]])?["labels"]
        #expect(labels == [["name": "__name__", "value": "cfic"], ["name": "instance", "value": "a\"b"]])
        let sample = (series["samples"] as? [[String: String]])?.first?["rawProfile"]
        #expect(sample.flatMap { Data(base64Encoded: $0) }?.starts(with: [0x1f, 0x8b]) == true)
    }
}
