import Foundation
@testable import TestFixtures
import Testing

/// Tests of the test fixtures.
@Suite(.timeLimit(.minutes(30))) struct FixtureTests {
    @Test func theToolchainsProgramsComeFirst() throws {
        #expect(Toolchain.path(before: "/some/bin:/bin") == "\(Toolchain.programs):/some/bin:/bin")
        #expect(access(Toolchain.programs + "/clang", X_OK) == 0)
        #expect(try run("sh", "-c", "command -v clang") == Toolchain.programs + "/clang\n")
        #expect(try Workplace().shell("command -v clang").output == Toolchain.programs + "/clang\n")
    }

    @Test func groupsThatAreLeftEndWithTheTestRun() throws {
        let words = ["/bin/sh", "-c", "sleep 1000 & echo $!; wait"]
        let left = try RunningProgram(words), released = try RunningProgram(words)
        let sleeper = try #require(Int32(try left.line()))
        let keeper = ProcessGroupKeeper()
        for id in [released.id, left.id] { keeper.keep(id) }
        keeper.release(released.id)
        #expect(kill(left.id, 0) == 0)
        keeper.end()
        left.waitUntilExit()
        // Its child is killed with it, and disappears when init has reaped it.
        func state() -> String { (try? String(contentsOfFile: "/proc/\(sleeper)/stat", encoding: .utf8)) ?? "gone" }
        while state().contains(") S ") { usleep(1000) }
        #expect(kill(released.id, 0) == 0)
    }

    /// `Process` would wait for all processes that have its descriptors.
    @Test func whatLivesOnInheritsNothing() throws {
        let fixture = try Fixture()
        let path = try fixture.write([], to: "inheritable")
        let descriptor = open(path, O_RDONLY)
        defer { close(descriptor) }
        try #require(descriptor > 2)
        let keeper = ProcessGroupKeeper()
        let program = try RunningProgram(["/bin/sleep", "1000"])
        for id in [keeper.shell, program.id] {
            // It has closed them once it runs another executable.
            while try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(id)/exe").hasSuffix(".xctest") {}
            let names = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(id)/fd")
            let files = names.compactMap {
                try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(id)/fd/\($0)")
            }
            #expect(files.count >= 3 && !files.contains(path), "\(files)")
        }
    }

    /// It must not be in the group that a terminal interrupts.
    @Test func theKeeperIsInAGroupOfItsOwn() {
        let keeper = ProcessGroupKeeper()
        #expect(getpgid(keeper.shell) == keeper.shell)
    }
}
