import Foundation
import Synchronization

/// Ends process groups when this process ends, however it ends: a test run that is interrupted leaves no emulated
/// machine and no busy program behind.
///
/// A shell beside this process, in a group of its own, reads which groups there are. When it reads the end of them, it
/// kills those that are left.
public final class ProcessGroupKeeper: Sendable {
    /// Of this process.
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

    /// The end of the socket that nobody else has; -1 when it is closed.
    private let input: Mutex<Int32>
    let shell: pid_t

    public init() {
        var ends: [Int32] = [-1, -1]
        // A socket, since writing to a pipe that nobody reads any more would end this process.
        _ = socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends)
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
        // Whoever reads what a test run prints does not wait for the shell.
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

    /// - Parameter group: the id of the process that leads it.
    public func keep(_ group: pid_t) { write("keep \(group)\n") }

    /// Before it is waited for: afterwards the id may be another group's.
    public func release(_ group: pid_t) { write("release \(group)\n") }

    /// As the end of this process would.
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
    /// Closes what the child would inherit by chance: `Process` makes its descriptors inheritable, waits until nobody
    /// has them any more, and a child that lives on would make it wait for ever.
    mutating func addClose(from first: Int32) {
        // In glibc's headers for _GNU_SOURCE only.
        typealias AddCloseFrom = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32
        guard let function = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np") else { return }
        _ = unsafeBitCast(function, to: AddCloseFrom.self)(&self, first)
    }
}
