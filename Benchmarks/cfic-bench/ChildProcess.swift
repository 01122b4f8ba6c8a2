import Files
@preconcurrency import Glibc

/// The resources that a whole process used.
struct ProcessCost {
    /// User and system time, in seconds.
    var cpu: Double
    var wall: Double
    /// Largest resident set, in bytes. It is at least that of this process, because the kernel's high-water mark
    /// includes the time between fork and exec.
    var peakMemory: Int
    /// Bytes returned by `read` and similar calls; nil if the kernel doesn't report them.
    var bytesRead: UInt64?
    var exitCode: Int32
}

/// Why a process could not be measured.
struct ProcessFailure: Error, CustomStringConvertible {
    var description: String
}

/// Runs a process until it exits, and measures it.
///
/// - Parameters:
///   - output: the file for stdout.
///   - accepting: exit codes that are not failures.
func run(
    _ arguments: [String], output: String = "/dev/null", accepting: Set<Int32> = [0]
) throws(ProcessFailure) -> ProcessCost {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    // Its diagnostics are only shown if it fails.
    guard let messages = tmpfile() else { throw ProcessFailure(description: systemMessage(errno)) }
    defer { fclose(messages) }
    posix_spawn_file_actions_adddup2(&actions, fileno(messages), STDERR_FILENO)

    var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
    argv.append(nil)
    defer { for argument in argv { free(argument) } }

    let start = Clock.wall
    var child: pid_t = 0
    let error = posix_spawnp(&child, arguments[0], &actions, nil, argv, environ)
    guard error == 0 else {
        throw ProcessFailure(description: "\(arguments[0]): \(systemMessage(error))")
    }
    // Waits without reaping, because /proc/PID/io can only be read before.
    var ended = siginfo_t()
    while waitid(P_PID, id_t(child), &ended, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
    let wall = Clock.wall - start
    let bytesRead = bytesRead(by: child)
    var status: Int32 = 0
    var usage = rusage()
    while wait4(child, &status, 0, &usage) < 0 && errno == EINTR {}

    // WIFEXITED and WEXITSTATUS
    let exitCode = status & 0x7f == 0 ? status >> 8 & 0xff : nil
    guard let exitCode, accepting.contains(exitCode) else {
        let end = exitCode.map { "exit code \($0)" } ?? "signal \(status & 0x7f)"
        rewind(messages)
        var line = [CChar](repeating: 0, count: 200)
        let said = fgets(&line, Int32(line.count), messages).map { String(cString: $0).filter { $0 != "\n" } } ?? ""
        throw ProcessFailure(description: "\(arguments.joined(separator: " ")): \(end) \(said)")
    }
    return ProcessCost(
        cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime), wall: wall, peakMemory: usage.ru_maxrss * 1024,
        bytesRead: bytesRead, exitCode: exitCode)
}

private func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }

/// `rchar` of `/proc/PID/io`.
private func bytesRead(by process: pid_t) -> UInt64? {
    guard let text = smallFile("/proc/\(process)/io") else { return nil }
    for line in text.split(separator: "\n") where line.hasPrefix("rchar: ") { return UInt64(line.dropFirst(7)) }
    return nil
}

/// The text of a file of at most 64 KiB; nil if it can't be read.
func smallFile(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 65536)
    let count = read(descriptor, &bytes, bytes.count)
    return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
}
