import Foundation
@testable import Profile
import TestFixtures
import Testing

/// Commands from before they run to their end; nothing is sampled.
@Suite(.timeLimit(.minutes(30))) struct CommandProcessTests {
    private let directory: String
    private let fixture: Fixture

    init() throws {
        fixture = try Fixture()
        directory = fixture.directory
    }

    /// Waits for its own end.
    private func end(_ command: Command) -> CommandEnd? {
        while !command.hasEnded() { usleep(1000) }
        return command.end
    }

    private func exists(_ name: String) -> Bool { access("\(directory)/\(name)", F_OK) == 0 }

    private func wait(for name: String) { while !exists(name) { usleep(1000) } }

    private func isThere(_ process: Int32) -> Bool { kill(process, 0) == 0 }

    @Test func itRunsWhenItIsToldTo() throws {
        let command = try Command(["touch", "\(directory)/ran"])
        usleep(50_000)
        #expect(!command.hasEnded() && !exists("ran"))
        try command.run()
        #expect(end(command) == .exited(code: 0) && exists("ran"))
        // It stays so.
        #expect(command.hasEnded() && !isThere(command.process))
    }

    @Test func itsEndIsItsOwn() throws {
        let code = try Command(["sh", "-c", "exit 3"])
        try code.run()
        #expect(end(code) == .exited(code: 3))
        let signal = try Command(["sh", "-c", "kill -9 $$"])
        try signal.run()
        #expect(end(signal) == .killed(signal: 9))
    }

    @Test func commandThatCannotBeRunSaysWhy() throws {
        try Data("text".utf8).write(to: URL(fileURLWithPath: directory + "/text"))
        for (name, reason) in [("missing", "No such file or directory"), ("text", "Permission denied")] {
            let command = try Command(["\(directory)/\(name)"])
            let error = #expect(throws: ProfileError.self) { try command.run() }
            #expect(error?.description == "\(directory)/\(name): \(reason)")
        }
        #expect(throws: ProfileError.self) { try Command([]) }
    }

    /// A command that is stopped for a while goes on.
    @Test func stopIsNoEnd() throws {
        let command = try Command(["sh", "-c", "touch '\(directory)/running'; kill -STOP $$; exit 3"])
        try command.run()
        wait(for: "running")
        while try !String(contentsOfFile: "/proc/\(command.process)/stat", encoding: .utf8).contains(") T ") {
            usleep(1000)
        }
        #expect(!command.hasEnded())
        kill(command.process, SIGCONT)
        #expect(end(command) == .exited(code: 3))
    }

    // MARK: Ending it

    @Test func commandThatIsEndedHasNoEndOfItsOwn() throws {
        let command = try Command(["sleep", "1000"])
        try command.run()
        command.terminate(patience: .seconds(60))
        #expect(command.end == nil && !isThere(command.process))
    }

    @Test func commandThatDoesNotWantToEndIsKilled() throws {
        let command = try Command(["sh", "-c", "trap '' TERM; touch '\(directory)/running'; while :; do :; done"])
        try command.run()
        wait(for: "running")
        let start = ContinuousClock.now
        command.terminate(patience: .milliseconds(100))
        #expect(ContinuousClock.now - start >= .milliseconds(100))
        #expect(command.end == nil && !isThere(command.process))
    }

    @Test func commandThatWaitsNeverRuns() throws {
        let command = try Command(["touch", "\(directory)/ran"])
        command.terminate()
        #expect(!isThere(command.process) && !exists("ran"))
        var dropped: Command? = try Command(["touch", "\(directory)/ran"])
        let process = try #require(dropped?.process)
        dropped = nil
        #expect(!isThere(process) && !exists("ran"))
    }

    @Test func endedCommandIsNotEndedAgain() throws {
        let command = try Command(["true"])
        try command.run()
        #expect(end(command) == .exited(code: 0))
        command.terminate()
        #expect(command.end == .exited(code: 0))
    }
}
