import enum TestFixtures.HostKernel
import func TestFixtures.run
import Testing

/// `cfic profile -a` beside programs that change what there is to sample all the time. `make endurance` runs it for an hour.
@Suite(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"), .timeLimit(.minutes(30)))
struct EnduranceTests {
    private static let project = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

    /// Other tests run meanwhile, so it takes less of the machine than it could.
    @Test func halfAMinuteIsClean() throws {
        let report = try run(
            words: ["nice", Self.project + "/scripts/endurance.sh", try Workplace.program(), "30", "300"],
            environment: ["STARTS": "200", "ONLY_LOADS": "1"], seconds: 300)
        // A check that fails would have thrown.
        let passed = report.split(separator: "\n").count { $0.hasPrefix("pass: ") }
        #expect(passed >= 12, "\(report)")
    }
}
