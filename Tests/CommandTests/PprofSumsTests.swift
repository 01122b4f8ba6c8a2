import Foundation
import class TestFixtures.Fixture
import enum TestFixtures.HostKernel
import enum TestFixtures.Pprof
import func TestFixtures.run
import Testing

/// What `cfic report` adds up is what google/pprof does, whichever format a recording was written in.
@Suite(.enabled(if: Pprof.canBeBuilt, "\(Pprof.need)"), .timeLimit(.minutes(30))) struct PprofSumsTests {
    private let place: Workplace
    private let fixture: Fixture

    init() throws {
        place = try Workplace()
        fixture = try Fixture()
    }

    /// A function's own samples, and those with it anywhere in the stack. Of functions of the same name in several modules, the
    /// latter don't add up: a stack may have both.
    private struct Sums: Equatable {
        var own: Double
        var total: Double?
    }

    /// As `cfic report --json` has them.
    private func reported(_ file: String) throws -> [String: Sums] {
        let outcome = try place.cfic("report", file, "--json")
        guard outcome.code == 0 else { throw TestFailure(outcome.diagnostics) }
        var sums: [String: Sums] = [:]
        for part in try outcome.list("parts") ?? [] {
            guard let name = part["name"] as? String, name != "[no frames]", let own = part["own"] as? Double,
                let total = part["total"] as? Double
            else { continue }
            let known = sums[name]
            sums[name] = Sums(own: (known?.own ?? 0) + own, total: known == nil ? total : nil)
        }
        return sums
    }

    /// As `pprof -top` prints them: `flat flat% sum% cum cum% name`.
    private func printed(_ file: String) throws -> [String: Sums] {
        let text = try TestFixtures.run(
            words: [
                try Pprof.build(in: fixture), "-top", "-sample_index=samples", "-symbolize=none", "-trim=false",
                "-nodecount=1000000", "\(place.directory)/\(file)",
            ], environment: ["HOME": fixture.directory])
        var sums: [String: Sums] = [:]
        for match in text.matches(of: #/(?m)^ *([0-9.]+) +\S+ +\S+ +([0-9.]+) +\S+ +(.+)$/#) {
            let (own, total) = try (#require(Double(match.1)), #require(Double(match.2)))
            try #require(sums.updateValue(Sums(own: own, total: total), forKey: String(match.3)) == nil)
        }
        return sums
    }

    private func expectSame(_ sums: [String: Sums], as expected: [String: Sums], _ what: String) {
        #expect(Set(sums.keys) == Set(expected.keys), "\(what)")
        for (name, sum) in sums {
            guard let other = expected[name] else { continue }
            #expect(sum.own == other.own, "\(what): \(name)")
            if let total = sum.total, let other = other.total { #expect(total == other, "\(what): \(name)") }
        }
    }

    /// Recursive functions, and names that have blanks or mean something to other programs.
    @Test func sumsOfMadeUpStacksAreThoseOfPprof() throws {
        let names = [
            "main", "f", "g", "operator()<int> (char const*)", "std::vector<a, b>::~vector()", "h.cold", "[unknown]",
        ]
        var lines = Set<String>(), number: UInt64 = 1
        while lines.count < 300 {
            let frames = (0..<number % 9 + 1).map { depth in
                number = number &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return depth == 0 ? "main" : names[Int(number >> 33) % names.count]
            }
            lines.insert("t;\(frames.joined(separator: ";")) ")
        }
        let text = lines.sorted().enumerated().map { "\($1)\($0 + 1)\n" }.joined()
        try place.write(Array(text.utf8), to: "a.folded")
        let outcome = try place.cfic("report", "a.folded", "-o", "a.pb.gz", "-o", "a.cfic")
        #expect(outcome.code == 0, "\(outcome.diagnostics)")
        let expected = try printed("a.pb.gz")
        #expect(expected.count == names.count && (expected["main"]?.total ?? 0) > 0)
        for file in ["a.folded", "a.pb.gz", "a.cfic"] { expectSame(try reported(file), as: expected, file) }
    }

    @Test(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)")) func sumsOfARecordingAreThoseOfPprof() throws {
        let outcome = try place.shell(
            """
            cfic profile -F 999 -o r.cfic -o r.pb.gz -o r.folded -- bash -c \
            'for ((i = 0; i < 300; i++)); do ls / | grep -c e; for ((j = 0; j < 300; j++)); do :; done; done >/dev/null'
            """)
        #expect(outcome.code == 0, "\(outcome.diagnostics)")
        let expected = try printed("r.pb.gz")
        #expect(expected.count > 50 && expected.values.reduce(0) { $0 + $1.own } > 100)
        for file in ["r.cfic", "r.folded", "r.pb.gz"] { expectSame(try reported(file), as: expected, file) }
    }
}
