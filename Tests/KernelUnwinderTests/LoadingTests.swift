import Glibc
import LinuxProcess
import Testing
@testable import KernelUnwinder

/// Checks before BPF programs are loaded, and the verifier's messages.
@Suite struct LoadingTests {
    @Test(
        arguments: [
            ("0", [0]), ("0-3", [0, 1, 2, 3]), ("0-1,4,6-7", [0, 1, 4, 6, 7]), ("5-5", [5]),
        ] as [(String, [Int32])])
    func onlineCPUsAreRanges(text: String, cpus: [Int32]) {
        #expect(OnlineCPUs.parse(text) == cpus)
    }

    @Test(arguments: ["", ",", "-", "x", "3-1", "0-99999999", "99999999999"])
    func whatIsNoListOfCPUsIsNone(text: String) {
        #expect(OnlineCPUs.parse(text) == [])
    }

    @Test func thisMachineHasAnOnlineCPU() {
        #expect(!OnlineCPUs.list.isEmpty && Set(OnlineCPUs.list).count == OnlineCPUs.list.count)
    }

    @Test(arguments: [
        ("5.9.16", true), ("5.10.0", false), ("5.11.0-rc1", false), ("4.19.0-27-amd64", true),
        ("6.1.0-18-amd64", false), ("10.2", false), ("5", false), ("", false), ("linux", false),
    ])
    func kernelsBefore510AreTooOld(release: String, isTooOld: Bool) {
        #expect(LoadCheck.isTooOld(release) == isTooOld)
    }

    /// Such as under a cgroup's limit: BPF maps and programs count, too.
    @Test func wantOfMemoryIsNoFaultOfAProgram() {
        #expect("\(LoadCheck.failure(ENOMEM, []))" == "loading the BPF programs: Cannot allocate memory")
        #expect("\(LoadCheck.failure(EMFILE, []))".hasSuffix(": raise the limit on open files (ulimit -n)"))
        #expect("\(LoadCheck.failure(EINVAL, []))".hasPrefix("the kernel rejected the BPF program "))
    }

    @Test func verifierSaysHowManyInstructionsItTook() {
        let program = VerifiedProgram(
            name: "profile_x86_64",
            log: """
                Validating walk_frames_x86_64() func#1...
                func#0 @0
                processed 3211 insns (limit 1000000) max_states_per_insn 4 total_states 131 peak_states 131 mark_read 12

                """)
        #expect(program.instructions == 3211 && program.name == "profile_x86_64")
    }

    @Test(arguments: [
        "", "processed", "processed many insns", "R1 type=ctx expected=fp\n", "processed \n", "unprocessed 3 insns",
    ])
    func verifierThatSaysNoNumberIsNotBelieved(log: String) {
        #expect(VerifiedProgram(name: "", log: log).instructions == nil)
    }

    @Test func firstLineIsWithoutItsEnd() {
        #expect(SystemFile.firstLine("/proc/sys/kernel/ostype") == "Linux")
        #expect(SystemFile.firstLine("/nonexistent/file") == nil)
        #expect(SystemFile.firstLine("/dev/null") == nil)
        #expect(LoadCheck.release.contains("."))
    }

    /// Messages are for people.
    @Test(
        arguments: [
            (KernelError.process(.noSuchProcess(12)), "there is no process 12"),
            (.overBudget(bytes: 64 << 20), "tables need more than their limit of 64 MiB of kernel memory"),
            (.process(.cannotRead(1, errno: EIO)), "process 1 can't be read: Input/output error"),
            (.kernelTooOld(release: "4.19.0"), "Linux 4.19.0 is too old: the programs need 5.10 or newer"),
            (
                .rejected(program: "p", errno: EINVAL, log: "why"),
                "the kernel rejected the BPF program p: Invalid argument\nwhy"
            ),
        ] as [(KernelError, String)])
    func errorsSayWhatIsWrong(error: KernelError, text: String) {
        #expect(error.description == text)
    }
}
