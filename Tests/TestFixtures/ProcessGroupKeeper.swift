import Foundation
import Synchronization

/// Kills process groups when this process ends for any reason, so that an interrupted test run leaves no emulated
/// machine and no busy process behind.
///
/// A shell, in a process group of its own, reads the groups' ids from a socket. At the end of the input it kills the
/// remaining groups.
public final class ProcessGroupKeeper: Sendable {
    /// The keeper of this process.
    public static let shared = ProcessGroupKeeper()

    private static let script = """
        groups=" "
        while read -r word group; do
            case $word in
            keep) groups="$groups$group " ;;
            release) groups="${groups%%" $group "*} ${groups#*" $group "}" ;;
            esac
        done
        for group in $groups; do kill -KILL "-$group"; done
        """

    /// This process's end of the socket, which no other process has; -1 after it was closed.
    private let input: Mutex<Int32>
    let shell: pid_t

    public init() {
        var ends: [Int32] = [-1, -1]
        // A socket, because SIGPIPE of a pipe without a reader would kill this process.
        _ = socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends)
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
        // The shell must not hold the test run's output open, or its readers would wait for the shell.
        for stream: Int32 in [1, 2] { posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_WRONLY, 0) }
        actions.addClose(from: 3)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        var words = (["sh", "-c", Self.script] as [String]).map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        var id: pid_t = -1
        _ = posix_spawn(&id, "/bin/sh", &actions, &attributes, &words, environ)
        close(ends[0])
        input = Mutex(ends[1])
        shell = id
    }

    deinit { end() }

    /// - Parameter group: the process id of the group's leader.
    public func keep(_ group: pid_t) { write("keep \(group)\n") }

    /// Call this before reaping the leader; afterwards another group may have the id.
    public func release(_ group: pid_t) { write("release \(group)\n") }

    /// Does what the end of this process does.
    func end() {
        input.withLock { input in
            guard input >= 0 else { return }
            close(input)
            input = -1
            waitpid(shell, nil, 0)
        }
    }

    private func write(_ line: String) {
        input.withLock { input in
            let bytes = Array(line.utf8)
            while send(input, bytes, bytes.count, Int32(MSG_NOSIGNAL)) < 0, errno == EINTR {}
        }
    }
}

extension posix_spawn_file_actions_t {
    /// Closes descriptors that the child would inherit by accident. `Process` makes its descriptors inheritable and
    /// waits until no process has them, so it would wait for this child.
    mutating func addClose(from first: Int32) {
        // Looked up at run time, because glibc's headers declare it only for _GNU_SOURCE.
        typealias AddCloseFrom = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32
        guard let function = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np") else { return }
        _ = unsafeBitCast(function, to: AddCloseFrom.self)(&self, first)
    }
}
