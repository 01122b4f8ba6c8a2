import Testing
import enum TestFixtures.HostKernel

/// `cfic validate --live`.
@Suite(.timeLimit(.minutes(30))) struct LiveAuditCommandTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    @Test(arguments: [
        "--live", "--live -p 1 -a", "--live -a -- true", "--live -p 0", "--live -a --every 0", "--live -a -d 0",
        "--live -a --min-agreement 101", "--live -a --core file", "--live -a --exhaustive", "-a", "--every 2 file",
        "-p 1", "--min-agreement 99 file",
    ])
    func wrongUsageIs64(arguments: String) throws {
        #expect(try place.shell("cfic validate \(arguments)").code == 64)
    }

    /// Options of files would have no effect on stacks.
    @Test(arguments: ["--states 4", "--seed 7", "-j 2", "--exhaustive", "--keep-gaps"])
    func optionsOfFilesAreRefused(option: String) throws {
        for stacks in ["--live -p 1", "--core missing"] {
            let outcome = try place.shell("cfic validate \(stacks) \(option)")
            #expect(
                outcome.code == 64 && outcome.diagnostics.contains("they go with neither --live nor --core"),
                "\(stacks) \(option): \(outcome.diagnostics)")
        }
    }

    /// The report goes to standard output, and the exit code says whether enough agrees.
    @Test(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"))
    func stacksOfACommandAgree() throws {
        let busy = "bash -c 'for ((i = 0; i < 300000; i++)); do :; done'"
        let outcome = try place.shell("cfic validate --live -F 999 --every 2 --min-agreement 100 -- \(busy)")
        #expect(outcome.code == 0, "\(outcome.output)\(outcome.diagnostics)")
        #expect(outcome.output.contains(" frames agree, 0 disagree (100 %); 0 stacks with a disagreement\n"))
    }

    /// Nothing was sampled, so nothing is known.
    @Test(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"))
    func nothingComparedIsAFailure() throws {
        let outcome = try place.shell("cfic validate --live -F 1 -- sleep 0.2")
        #expect(outcome.code == 1 && outcome.diagnostics.contains("no frame was compared"), "\(outcome.output)")
    }
}
