import Glibc
import Profile
import Testing

/// How commands end, and what a shell would have as their exit code.
@Suite struct CommandEndTests {
    @Test func exitCodeIsTheCommandsOwn() {
        for code in [0, 1, 3, 127, 255] as [Int32] {
            let end = CommandEnd(waitStatus: code << 8)
            #expect(end == .exited(code: code) && end.exitCode == code)
        }
    }

    @Test func signalIsAddedTo128() {
        #expect(CommandEnd(waitStatus: SIGKILL) == .killed(signal: 9))
        // With a core dump.
        #expect(CommandEnd(waitStatus: SIGSEGV | 0x80) == .killed(signal: 11))
        #expect(CommandEnd.killed(signal: 9).exitCode == 137)
    }

    @Test func onlyAFailureIsAProblem() {
        #expect(CommandEnd.exited(code: 0).problem == nil)
        #expect(CommandEnd.exited(code: 3).problem == "the command ended with exit code 3")
        #expect(CommandEnd.killed(signal: 9).problem == "the command was killed by signal 9")
    }
}
