import Foundation
import TestFixtures
import Testing

/// Several formats of one recording.
@Suite(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"), .serialized, .timeLimit(.minutes(30)))
struct ProfileOutputTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    private static let busy = "bash -c 'for ((i = 0; i < 200000; i++)); do :; done'"

    private func record(_ options: String) throws -> Outcome {
        try place.shell("cfic profile -F 999 \(options) -- \(Self.busy)")
    }

    /// The samples of folded lines.
    private func samples(_ path: String) throws -> Int {
        String(decoding: try place.bytes("\(place.directory)/\(path)"), as: UTF8.self).split(separator: "\n").reduce(0)
        {
            $0 + (Int($1.split(separator: " ").last ?? "") ?? 0)
        }
    }

    @Test(.enabled(if: Pprof.canBeBuilt, "\(Pprof.need)"))
    func pprofShowsWhatTheFoldedStacksDo() throws {
        let outcome = try record("-o a.folded -o a.pb.gz -o a.json")
        #expect(outcome.code == 0 && outcome.output == "", "\(outcome.diagnostics)")
        let fixture = try Fixture()
        let raw = try run(Pprof.build(in: fixture), "-raw", "\(place.directory)/a.pb.gz")
        let lines = raw.split(separator: "\n", omittingEmptySubsequences: false)
        // `SAMPLES NANOSECONDS: LOCATION...`, from `Samples:` to `Locations`.
        let start = try #require(lines.firstIndex { $0.hasPrefix("Samples:") })
        let end = try #require(lines.firstIndex { $0.hasPrefix("Locations") })
        let counted = lines[start..<end].reduce(0) { sum, line in
            sum + (line.contains(": ") ? Int(line.split(separator: " ")[0]) ?? 0 : 0)
        }
        let expected = try samples("a.folded")
        #expect(counted == expected && expected > 50, "\(raw)")
        let json = try JSONSerialization.jsonObject(with: Data(place.bytes("\(place.directory)/a.json")))
        #expect((json as? [String: Any])?["samples"] as? Int == expected)
        // The build id of what ran.
        let path = try run(
            "/usr/bin/realpath", run("/usr/bin/which", "bash").trimmingCharacters(in: .whitespacesAndNewlines)
        )
        .trimmingCharacters(in: .whitespacesAndNewlines)
        let notes = try run("/usr/bin/readelf", "-n", path)
        let buildID = try #require(
            notes.split(separator: "\n").first { $0.contains("Build ID:") }?.split(separator: " ").last)
        #expect(lines.contains { $0.contains("/bash") && $0.contains(buildID) }, "\(raw)")
    }

    /// They are in the mappings that the kernel shows, also after a .cfic file.
    @Test func addressesAreThoseThatTheProcessHad() throws {
        let outcome = try place.shell(
            "cfic profile -F 999 -o a.perf -o a.cfic -- "
                + "bash -c 'cat /proc/$$/maps > maps; for ((i = 0; i < 200000; i++)); do :; done'")
        #expect(outcome.code == 0, "\(outcome.diagnostics)")
        #expect(try place.shell("cfic report a.cfic -o b.perf").code == 0)
        let script = """
            import re
            maps = re.findall(r"^(\\w+)-(\\w+) r-xp .*/bash$", open("maps").read(), re.MULTILINE)
            code = [(int(start, 16), int(end, 16)) for start, end in maps]
            lines = [line for line in open("a.perf") if line.endswith("/bash)\\n")]
            inside = [any(start <= int(line.split()[0], 16) <= end for start, end in code) for line in lines]
            print(len(inside) > 50, all(inside), sorted(open("a.perf")) == sorted(open("b.perf")))

            """
        try script.write(toFile: place.directory + "/read.py", atomically: true, encoding: .utf8)
        let found = try place.shell("python3 read.py")
        #expect(found.output == "True True True\n", "\(found)")
    }

    @Test func flameGraphsAreWritten() throws {
        let outcome = try record("-o a.html -o a.svg")
        #expect(outcome.code == 0, "\(outcome.diagnostics)")
        for (path, start) in [("a.html", "<!DOCTYPE html>"), ("a.svg", "<?xml")] {
            let text = String(decoding: try place.bytes("\(place.directory)/\(path)"), as: UTF8.self)
            #expect(text.lowercased().hasPrefix(start.lowercased()) && text.contains("bash"), "\(text.prefix(200))")
        }
    }

    /// Each has times, so samples one by one.
    @Test func timedFormatsHaveTheSamplesOfTheFoldedStacks() throws {
        let outcome = try record("-o a.folded -o a.json.gz -o a.perf")
        #expect(outcome.code == 0 && outcome.output == "", "\(outcome.diagnostics)")
        let expected = try samples("a.folded")
        #expect(expected > 50)
        let firefox = try place.shell("gzip -dc a.json.gz").json() as? [String: Any]
        let threads = try #require(firefox?["threads"] as? [[String: Any]])
        #expect(
            threads.reduce(0) { $0 + (($1["samples"] as? [String: Any])?["length"] as? Int ?? 0) } == expected)
        // As stackcollapse-perf.pl reads it.
        let script = """
            import re
            count = 0
            for line in open("a.perf"):
                if re.match(r"\\S.* \\d+/\\d+ \\[\\d+\\] \\d+\\.\\d{6}: 1 \\S+: $", line):
                    count += 1
                elif line != "\\n" and not re.match(r"\\t *[0-9a-f]+ .+ \\(.*\\)$", line):
                    print("bad:", line)
            print(count)

            """
        try script.write(toFile: place.directory + "/read.py", atomically: true, encoding: .utf8)
        let perf = try place.shell("python3 read.py")
        #expect(perf.output == "\(expected)\n", "\(perf)")
        #expect(try place.shell("grep -c 'execute_command.*bash)$' a.perf").output != "0\n")
    }

    @Test func formatIsForced() throws {
        #expect(try record("--format folded -o a.json").code == 0)
        #expect(try samples("a.json") > 50)
        let outcome = try place.shell("cfic profile -F 999 --format pprof -- \(Self.busy) | gzip -dc | wc -c")
        #expect(
            Int(outcome.output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0 > 500, "\(outcome.diagnostics)")
    }

    /// The others are written nevertheless, and the lost one is saved.
    @Test func fileThatCannotBeWrittenIsTheOnlyOneMissing() throws {
        let outcome = try record("-o a.folded -o /dev/full -o b.folded")
        #expect(outcome.code == 1 && outcome.diagnostics.contains("/dev/full"), "\(outcome.diagnostics)")
        let (first, last) = (try samples("a.folded"), try samples("b.folded"))
        #expect(first == last && first > 50)
        let saved = try #require(outcome.diagnostics.firstMatch(of: /saved to (\S+)/)).1
        try FileManager.default.removeItem(atPath: String(saved))
    }
}
