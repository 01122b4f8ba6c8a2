import CLinux
import Files
import Glibc

/// A command to sample. Its process exists before it runs the program.
final class Command {
    let process: pid_t
    private let name: String
    /// The child waits for a byte from this descriptor; -1 once it got one, or never will.
    private var go: Int32
    /// Whether the process was waited for, so that its id may be reused.
    private var isGone = false
    /// How the command ended; nil while it runs, and if it was terminated.
    private(set) var end: CommandEnd?

    /// Creates the process, which waits for ``run()``.
    ///
    /// - Throws: ``ProfileError/command(_:errno:)``.
    init(_ words: [String]) throws(ProfileError) {
        guard let name = words.first else { throw .command("", errno: ENOENT) }
        self.name = name
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { $0.withPath { strdup($0) } } + [nil]
        defer { for argument in arguments { free(argument) } }
        var go: Int32 = -1
        process = spawn_waiting(&arguments, &go)
        self.go = go
        guard process > 0 else { throw .command(name, errno: -process) }
    }

    deinit { terminate() }

    /// Runs the program.
    ///
    /// - Throws: ``ProfileError/command(_:errno:)`` if it can't be run.
    func run() throws(ProfileError) {
        let code = spawn_run(go)
        go = -1
        guard code == 0 else { throw .command(name, errno: code) }
    }

    /// Whether the command ended by itself.
    func hasEnded() -> Bool {
        var status: Int32 = 0
        guard !isGone, waitpid(process, &status, WNOHANG) == process else { return end != nil }
        isGone = true
        end = CommandEnd(waitStatus: status)
        return true
    }

    /// Terminates a command that is still running: with SIGTERM, and with SIGKILL after `patience`. Its children go on.
    func terminate(patience: Duration = .seconds(2)) {
        if go >= 0 { close(go) }
        go = -1
        if isGone || process <= 0 { return }
        isGone = true
        kill(process, SIGTERM)
        let deadline = ContinuousClock.now + patience
        while ContinuousClock.now < deadline {
            if waitpid(process, nil, WNOHANG) != 0 { return }
            usleep(10_000)
        }
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
    }
}
