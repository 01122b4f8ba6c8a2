import Files
import Foundation

/// A process that runs beside the tests. It and its children are killed with the last reference.
///
/// Not a Foundation `Process`, which would also wait for all processes that inherited its descriptors.
public final class RunningProgram {
    public let id: Int32
    private let input: Int32
    private let output: Int32
    private var read: [UInt8] = []
    private var hasEnded = false

    /// - Parameter words: the arguments; the first is the executable's path. Standard error is discarded.
    public init(_ words: [String], environment: [String: String] = [:]) throws {
        var toProgram: [Int32] = [-1, -1], fromProgram: [Int32] = [-1, -1]
        guard pipe(&toProgram) == 0, pipe(&fromProgram) == 0 else { throw TestFailure("pipe: errno \(errno)") }
        for end in toProgram + fromProgram { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, toProgram[0], 0)
        posix_spawn_file_actions_adddup2(&actions, fromProgram[1], 1)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        actions.addClose(from: 3)

        // A process group of its own, with default signal handling.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t(), all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }.map { "\($0)=\($1)" }
        var arguments = words.map { strdup($0) } + [nil]
        var environment = variables.map { strdup($0) } + [nil]
        defer { for string in arguments + environment { free(string) } }
        var id: pid_t = 0
        let code = posix_spawn(&id, words[0], &actions, &attributes, &arguments, &environment)
        close(toProgram[0])
        close(fromProgram[1])
        (input, output, self.id) = (toProgram[1], fromProgram[0], id)
        guard code == 0 else {
            hasEnded = true
            throw TestFailure("\(words[0]): \(systemMessage(code))")
        }
        ProcessGroupKeeper.shared.keep(id)
    }

    deinit {
        end()
        close(input)
        close(output)
    }

    public func end() {
        guard !hasEnded else { return }
        kill(-id, SIGKILL)
        waitUntilExit()
    }

    public func waitUntilExit() {
        var status: Int32 = 0
        if !hasEnded { ProcessGroupKeeper.shared.release(id) }
        while !hasEnded, waitpid(id, &status, 0) == -1, errno == EINTR {}
        hasEnded = true
    }

    public func write(_ text: String) throws {
        let bytes = Array(text.utf8)
        guard Glibc.write(input, bytes, bytes.count) == bytes.count else { throw TestFailure("write: errno \(errno)") }
    }

    /// Waits for a line of its output, at most a minute, so that a test fails instead of hanging.
    public func line() throws -> String {
        let start = ContinuousClock.now
        while true {
            if let line = try lineIfAny(milliseconds: 1000) { return line }
            guard ContinuousClock.now - start < .seconds(60) else {
                throw TestFailure("the program said nothing for a minute")
            }
        }
    }

    /// A line of its output; nil if there is none, also after waiting.
    public func lineIfAny(milliseconds: Int32 = 0) throws -> String? {
        if let line = takeLine() { return line }
        var wanted = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
        guard poll(&wanted, 1, milliseconds) > 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(output, &bytes, bytes.count)
        if count < 0, errno == EINTR { return nil }
        guard count > 0 else { throw TestFailure("the program ended before it said anything") }
        read += bytes[..<count]
        return takeLine()
    }

    private func takeLine() -> String? {
        guard let end = read.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        defer { read.removeSubrange(...end) }
        return String(decoding: read[..<end], as: UTF8.self)
    }
}
